// The frame: theme, time zone, keys.
{
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const whole = { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" };

  for (const link of document.querySelectorAll(".seg .mine")) {
    const given = new URL(link.href);
    given.searchParams.set("zone", mine);
    link.href = given;
    link.hidden = false;
    link.title = link.title || mine;
  }
  for (const hint of document.querySelectorAll(".keys")) hint.hidden = false;

  byId("theme").addEventListener("click", (event) => {
    event.preventDefault();
    const isDark = page.dataset.theme ? page.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    page.dataset.theme = isDark ? "light" : "dark";
    document.cookie = `leased_theme=${page.dataset.theme}; path=${root}; max-age=31536000; samesite=lax`;
  });

  // A time says what it is in the browser's zone too.
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, (event) => {
    const times = event.target.matches?.("time") ? [event.target] : kind === "focusin" ? event.target.querySelectorAll?.("time") || [] : [];
    for (const time of times) {
      if (time.dateTime && !time.title.includes("here")) time.title += ` · ${new Date(time.dateTime).toLocaleString("en-GB", whole).replaceAll(",", "")} here`;
    }
  });

  const help = document.createElement("dialog");
  const keys = [["/", "search"], ["g o", "Overview"], ["g t", "Timeline"], ["g r", "Runs"], ["g f", "Fleet"], ["g a", "Activity"], ["j k", "next or previous row"], ["Enter", "open it"], ["h", "hold or show changes"], ["z", "next time zone"], ["t", "light or dark"], ["?", "this list"], ["Esc", "close"]];
  const pages = { o: "", t: "timeline", r: "runs", f: "fleet", a: "activity" };
  help.className = "keys-list";
  help.setAttribute("aria-labelledby", "keys-title");
  document.body.append(help);

  function list() {
    const title = Object.assign(document.createElement("h2"), { id: "keys-title", textContent: "Keys" }), table = document.createElement("dl");
    for (const [key, does] of keys) {
      const term = document.createElement("dt");
      term.append(...key.split(" ").map((one) => Object.assign(document.createElement("kbd"), { textContent: one })));
      table.append(term, Object.assign(document.createElement("dd"), { textContent: does }));
    }
    help.replaceChildren(title, table);
    help.showModal();
  }

  function row(step) {
    const links = [...document.querySelectorAll("main tbody tr, main .card > li")].map((one) => one.querySelector("a[href]")).filter(Boolean);
    const at = links.findIndex((one) => one.closest("tr, li")?.contains(document.activeElement));
    links[Math.min(Math.max(at + step, 0), links.length - 1)]?.focus();
  }

  function zone() {
    const links = [...document.querySelector(".seg.tz").querySelectorAll("a:not([hidden])")];
    links[(links.findIndex((one) => one.hasAttribute("aria-current")) + 1) % links.length].click();
  }

  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || document.querySelector("dialog[open]")) return;
    const at = event.target;
    if (at.closest?.("input, textarea, select, [contenteditable]")) return event.key === "Escape" ? at.blur() : undefined;
    const isSecond = Date.now() - going < 1500, { key } = event;
    going = 0;
    if (isSecond && key in pages) location.href = root + pages[key];
    else if (key === "g") going = Date.now();
    else if (key === "/") document.querySelector("main [type=search], .find input")?.focus();
    else if (key === "j" || key === "k") row(key === "j" ? 1 : -1);
    else if (at.matches?.(".bars a") && /^Arrow(Left|Right)$/.test(key)) at[key === "ArrowLeft" ? "previousSibling" : "nextSibling"]?.focus();
    else if (key === "h") live && live.hold();
    else if (key === "z") zone();
    else if (key === "t") byId("theme").click();
    else if (key === "?") list();
    else return;
    event.preventDefault();
  });
}
