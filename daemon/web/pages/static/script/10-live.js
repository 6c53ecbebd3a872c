// What changes while somebody looks: a stream of events puts parts of the page in place, by their ids.
const page = document.documentElement;
const byId = (id) => document.getElementById(id);
const passed = () => performance.now();  // the other clock may be set
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// As the server writes durations.
function lasting(seconds) {
  const whole = Math.round(Math.max(seconds, 0)), minutes = Math.round(whole / 60), hours = Math.round(whole / 3600);
  const two = (large, unit, small, rest) => `${large}\u00a0${unit}${small ? ` ${small}\u00a0${rest}` : ""}`;
  if (whole < 60) return `${whole}\u00a0s`;
  if (whole < 600) return two(Math.floor(whole / 60), "min", whole % 60, "s");
  if (minutes < 60) return `${minutes}\u00a0min`;
  if (whole < 172800) return two(Math.floor(minutes / 60), "h", minutes % 60, "min");
  return hours < 240 ? two(Math.floor(hours / 24), "d", hours % 24, "h") : `${Math.round(whole / 86400)}\u00a0d`;
}

const rough = (seconds) => (seconds < 120 ? seconds : 60 * Math.round(seconds / 60));

// Give `now` the content of `then`, and change only what differs: focus and selection stay where they are.
function patch(now, then) {
  if (now.nodeName !== then.nodeName) return now.replaceWith(then);
  if (now.nodeType !== Node.ELEMENT_NODE) return now.data !== then.data && (now.data = then.data);
  for (const { name } of [...now.attributes]) if (!then.hasAttribute(name)) now.removeAttribute(name);
  for (const { name, value } of then.attributes) if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  const had = [...now.childNodes], next = [...then.childNodes];
  next.forEach((one, index) => (had[index] ? patch(had[index], one) : now.append(one)));
  had.slice(next.length).forEach((one) => one.remove());
}

const live = page.dataset.here && (() => {
  const button = byId("live"), bar = byId("lost"), icon = byId("icon"), voice = byId("said");
  const [since, sentence, signIn, when] = bar.querySelectorAll("b, b + span, a, .when");
  const waiting = new Map(), unshown = new Set(), holds = new Set();
  const news = Object.assign(document.createElement("button"), { className: "btn pri news", type: "button", hidden: true });
  let has = voice.dataset.digest, ahead = Date.parse(page.dataset.now) - Date.now(), heardAt = passed();
  let ending, watch, again, tries = 0, nextTry = 0, lost = null, isLive = false, isOld = false, problems = 0;
  let verdict, spokenAt = 0, speaking, touchedAt = passed();
  let apart = Date.now() - passed();  // by how much the two clocks differ, until one is set or the machine sleeps

  function say(text) {
    if (verdict !== undefined && text !== verdict) {
      clearTimeout(speaking);
      speaking = setTimeout(() => { spokenAt = passed(); voice.textContent = verdict; }, Math.max(0, spokenAt + 10000 - passed()));
    }
    verdict = text;
  }

  function show() {
    const count = waiting.size - waiting.has("checked"), state = lost ? "lost" : holds.size ? "held" : isLive ? "" : "off";
    button.className = `live ${state}`;
    setText(button.lastChild, lost ? "Not live" : holds.size ? (count ? `Held ${count}` : "Held") : "Live");
    button.title = lost ? "Try again now" : holds.size ? `${count} changes wait; show them (h)` : "Hold changes (h)";
    button.setAttribute("aria-pressed", holds.size > 0);
    page.classList.toggle("lost-page", Boolean(lost));
    bar.hidden = !lost;
    if (lost) {
      setText(since, `Not live since ${lost.since}. `);
      setText(sentence, lost.said);
    }
    for (const verb of document.querySelectorAll(".as-of .verb")) setText(verb, lost ? "as of" : "checked");
    for (const acts of document.querySelectorAll("main .acts, form[method=post]")) acts.inert = Boolean(lost);
    const name = lost ? "lost" : problems ? "bad" : "good";
    if (!icon.href.endsWith(`icon/${name}.svg`)) icon.href = `${root}icon/${name}.svg`;
    news.hidden = !unshown.size;
    setText(news, `Show ${unshown.size} change${unshown.size === 1 ? "" : "s"}`);
    tick();
  }

  function tick() {
    const now = Date.now() + ahead, away = lasting((passed() - heardAt) / 1000);
    if (!lost && apart && Math.abs(Date.now() - passed() - apart) > 2000) {
      apart = 0;  // until the server has said what time it is
      listen();
    }
    for (const one of document.querySelectorAll("main [data-since]"))
      if (apart && !lost && !one.closest(".gone")) setText(one.firstChild || one, lasting((now - Date.parse(one.dataset.since)) / 1000));
    for (const one of document.querySelectorAll("main .rel")) {
      const away = (Date.parse(one.parentNode.querySelector("time").dateTime) - now) / 1000, text = lasting(rough(Math.abs(away)));
      if (apart && !lost && !one.closest(".gone")) setText(one, away < 0 ? `${text} ago` : `in ${text}`);
    }
    for (const ago of document.querySelectorAll(".as-of .ago")) setText(ago, lost ? "" : `, ${away} ago`);
    if (lost) setText(when, nextTry ? `${away}; next try in ${lasting((nextTry - passed()) / 1000)}` : `${away}; retries automatically`);
    hold("dialog", document.querySelector("dialog[open], details.menu[open]"));
    if (unshown.size && !holds.size && !lost && passed() - touchedAt > 60000) showAll();
  }

  // In one frame, without reading the layout. A strip under the pointer waits.
  const put = () => requestAnimationFrame(() => {
    for (const [id, html] of waiting) {
      const part = byId(id);
      if (part?.querySelector(":is(.strip, .bars):is(:hover, :focus-within)")) continue;
      waiting.delete(id);
      if (!part || html === null) {
        part?.classList.add("gone");
        if (part || html !== null) unshown.add(id);
        continue;
      }
      const made = document.createElement("template");
      made.innerHTML = html;
      unshown.delete(id);
      patch(part, made.content.firstElementChild);
      atEnd(part.closest("[role=log]"));
    }
    show();
  });

  function hold(why, is = true) {
    if (Boolean(is) === holds.has(why)) return;
    if (is) holds.add(why); else holds.delete(why);
    if (holds.size) show(); else put();
  }

  function lose(said, trying) {
    lost = lost || { since: document.querySelector("#checked time")?.textContent || new Date(Date.now() + heardAt - passed()).toLocaleTimeString("en-GB") };
    lost.said = said;
    nextTry = trying;
    show();
  }

  function hear(event) {
    const field = (name) => event.split("\n").find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const found = JSON.parse(field("data") || "null");
    if (!found) return;
    tries = 0;
    if (field("event") === "lost") return lose(`${found.said[0].toUpperCase()}${found.said.slice(1)}.`, 0);
    has = field("id");
    [ahead, heardAt, apart, problems] = [Date.parse(found.at) - Date.now(), passed(), Date.now() - passed(), found.problems];
    [lost, isLive] = [null, true];
    say(found.verdict);
    // Another release has answered: its parts may need its style, so load the page again.
    isOld = !found.assets.every((path) => document.querySelector(`head [href$="${path}"], head [src$="${path}"]`));
    unshown[isOld ? "add" : "delete"]("release");
    for (const [id, html] of Object.entries(found.parts)) waiting.set(id, html);
    if (holds.size) show(); else put();
    if (document.hidden) rest(30000);  // a browser has few connections to a host: hidden pages look only now and then
  }

  function rest(delay) {
    stop();
    again = setTimeout(listen, delay);
  }

  function stop() {
    clearTimeout(again);
    clearTimeout(watch);
    ending?.abort();
    ending = null;
  }

  async function listen() {
    stop();
    const mine = (ending = new AbortController());
    let said = "The server does not answer. What you see may be out of date.", delay = Math.min(30, 2 ** tries++) * (500 + Math.random() * 500);
    const alive = () => { clearTimeout(watch); watch = setTimeout(() => mine.abort(), 25000); };
    try {
      alive();
      const answer = await fetch(`${root}events?of=${encodeURIComponent(page.dataset.here)}`, { headers: { "Last-Event-ID": has }, signal: mine.signal });
      signIn.hidden = answer.status !== 401;
      if (!answer.ok) {
        delay = 1000 * (answer.headers.get("Retry-After") || 30);
        const { error } = await answer.json();
        said = answer.status === 401 ? "You are not signed in anymore." : `${error[0].toUpperCase()}${error.slice(1)}.`;
      } else {
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let text = "", read; !(read = await reader.read()).done;) {
          alive();
          const events = (text + read.value).split("\n\n");
          text = events.pop();
          events.forEach(hear);
        }
        if (!tries) said = "";  // each stream ends after a while
      }
    } catch (_) { /* shown below */ }
    if (ending !== mine) return;
    rest(delay);
    if (said) lose(said, passed() + delay);
  }

  // Take in what came or went, which live parts alone cannot show.
  async function showAll() {
    if (isOld) return location.reload();
    unshown.clear();
    const answer = await fetch(location.href).catch(() => null);
    if (answer?.redirected) return location.reload();  // the session has ended
    if (!answer?.ok) return;
    const then = new DOMParser().parseFromString(await answer.text(), "text/html");
    byId("main").replaceChildren(...then.getElementById("main").childNodes);
    has = then.getElementById("said").dataset.digest;
    waiting.clear();
    document.dispatchEvent(new Event("leased:shown"));
    listen();
  }

  // A box of output begins at its end, where scrollTop is 0; it is negative above.
  const atEnd = (log) => log && (log.scrollTop = 0);  // scrolled up, it would be held
  const output = (at) => at.scrollTop < -8;
  button.hidden = false;
  button.onclick = () => (lost ? listen() : hold("hand", !holds.has("hand")));
  news.onclick = () => { byId("main").focus({ preventScroll: true }); showAll(); };
  document.body.append(news);
  document.addEventListener("selectionchange", () => hold("selection", !getSelection().isCollapsed));
  document.addEventListener("scroll", (event) => event.target.matches?.("[role=log]") && hold("output", output(event.target)), true);
  for (const kind of ["pointermove", "keydown", "wheel"]) addEventListener(kind, () => (touchedAt = passed()), { passive: true });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => event.persisted && listen());
  document.addEventListener("visibilitychange", () => document.hidden || listen());
  setInterval(tick, 1000);
  show();
  listen();
  return { hold: () => button.click() };
})();
