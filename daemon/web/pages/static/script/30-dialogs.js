// The forms of acts, opened over the page. Without this, each is a page of its own.
{
  const box = document.createElement("dialog"), acts = "[name=form_token]";
  const isAct = /\/(runs\/\d+|(schedules\/[^/]+|fleet)\/[^/]+)\/(run|pause|resume|backfill|cancel|retry|forget|retire)$/;
  let opener, latest = 0, timer;

  const formIn = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("form[data-dialog]");
  const look = async (address) => formIn(await fetch(address, { headers: { Accept: "text/html" } }));
  const show = (form) => {
    box.replaceChildren(form);
    document.body.append(box);
    if (!box.open) box.showModal();
    form.elements.why.focus();
  };
  const say = (form, sentence) => {
    const said = Object.assign(document.createElement("p"), { className: "said", role: "alert", textContent: sentence });
    form.querySelector(".said")?.remove();
    form.querySelector("[data-found]").prepend(said);
  };
  const unreachable = (form) => say(form, "No answer: this may or may not have been done. Check, then try again.");

  const send = async (form, button) => {
    const body = new URLSearchParams(new FormData(form, button));
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body });
      if (answer.redirected) return location.assign(answer.url);
      if (answer.headers.get("Content-Type").startsWith("text/html")) return show(await formIn(answer));
      say(form, (await answer.json()).error);
    } catch {
      unreachable(form);
    }
    button.disabled = false;
  };
  const preview = async (form) => {
    const mine = ++latest;
    form.querySelector(acts).disabled = true;
    try {
      const again = await look(`${form.action}?${new URLSearchParams(new FormData(form))}`);
      for (const part of mine === latest ? ["[data-found]", acts] : []) form.querySelector(part).replaceWith(again.querySelector(part));
    } catch {
      unreachable(form);
    }
  };

  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const closes = link.matches("dialog [data-close]");
    if (!closes && (link.origin !== location.origin || !isAct.test(link.pathname))) return;
    event.preventDefault();
    if (closes) return box.close();
    opener ??= link;
    look(link.href).then(show).catch(() => location.assign(link.href));
  });
  addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (!form.matches("dialog form[data-dialog]")) return;
    event.preventDefault();
    button.matches(acts) ? send(form, button) : preview(form);
  });
  addEventListener("input", ({ target }) => {
    if (!target.matches("[data-preview]")) return;
    target.form.querySelector(acts).disabled = true;
    clearTimeout(timer);
    timer = setTimeout(preview, 300, target.form);
  });
  box.addEventListener("close", () => {
    box.replaceChildren();
    opener?.focus();
    opener = null;
  });
}
