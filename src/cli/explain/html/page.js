// Comfort: what a mark stands for beside the pointer, all details at once, keys. The page is whole without it.
"use strict";
(() => {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const show = (mark) => {
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = mark.getBoundingClientRect();
    const left = Math.min(box.left, innerWidth - tip.offsetWidth - 12);
    const below = box.bottom + 8 + tip.offsetHeight < innerHeight;
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = (below ? box.bottom + 8 : box.top - tip.offsetHeight - 8) + "px";
  };
  const hide = () => { tip.hidden = true; };

  const marks = document.querySelectorAll(".timeline .mark");
  for (const mark of marks) {
    // The browser's own would come late and beside this one.
    const title = mark.querySelector("title");
    mark.dataset.tip = title.textContent;
    mark.setAttribute("aria-label", title.textContent);
    title.remove();
    // One stop for a whole crowd is enough.
    if (mark.closest(".crowd") && mark.previousElementSibling?.matches(".mark")) mark.setAttribute("tabindex", "-1");
  }
  const markOf = (event) => event.target.closest?.(".timeline .mark");
  document.addEventListener("pointerover", (event) => { const mark = markOf(event); mark ? show(mark) : hide(); });
  document.addEventListener("focusin", (event) => { const mark = markOf(event); mark ? show(mark) : hide(); });
  addEventListener("scroll", hide, { passive: true });

  const details = () => document.querySelectorAll("#causes details");
  const open = (all) => { for (const one of details()) one.open = all; };
  const tools = document.createElement("div");
  tools.className = "tools";
  for (const [text, all] of [["Open all frames", true], ["Close all", false]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", () => open(all));
    tools.append(button);
  }
  document.querySelector("#causes").prepend(tools);
  addEventListener("beforeprint", () => open(true));

  // j and k go through what happened.
  const causes = [...document.querySelectorAll(".cause")];
  let at = -1;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key !== "j" && event.key !== "k")) return;
    at = Math.max(0, Math.min(causes.length - 1, at + (event.key === "j" ? 1 : -1)));
    causes[at]?.focus({ preventScroll: true });
    causes[at]?.scrollIntoView();
  });

  document.documentElement.dataset.ready = String(marks.length);
})();
