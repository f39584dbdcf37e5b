// rnnnotes.plot.GradientText: a character pointed at, tapped or gone to by arrow keys is chosen.
(() => {
  "use strict";
  const NAMES = { " ": "space", "\n": "line break", "\t": "tab" };

  function enliven(box) {
    const pre = box.querySelector("pre");
    const says = box.querySelector(".rn-gradient-says");
    const spans = [...pre.children];
    const most = box.dataset.most.split(";").map((row) => row.match(/\d+/g) || []);
    const name = (k) => NAMES[spans[k].textContent] || `“${spans[k].textContent}”`;
    let chosen;

    function choose(t) {
      if (t < 0 || t === chosen) return;
      chosen = t;
      spans.forEach((span, k) => {
        const shade = k > t ? "rn-later" : `rn-heat-${box.dataset.rows[(t * (t + 1)) / 2 + k]}`;
        span.className = span.className.replace(/rn-(later|heat-\d)/, shade);
        span.classList.toggle("rn-chosen", k === t);
        span.setAttribute("aria-selected", k === t);
        span.tabIndex = k === t ? 0 : -1;
      });
      const named = most[t].map((lag) => `${name(t - lag)} ${+lag ? `(${lag} back)` : "itself"}`);
      const sentence =
        `The prediction after ${name(t)}, character ${t + 1} of ${spans.length}, depends ` +
        (named.length ? `most on ${named.join(", then ")}.` : "on no character.");
      if (says.textContent !== sentence) says.textContent = sentence;
    }

    // The nearest character of the line above or below.
    function beside(t, step) {
      const far = (k) => Math.abs(spans[k].offsetLeft - spans[t].offsetLeft);
      const top = (k) => spans[k]?.offsetTop;
      let k = t;
      while (top(k) === top(t)) k += step;
      while (spans[k] && top(k + step) === top(k) && far(k + step) <= far(k)) k += step;
      return k;
    }

    const keys = {
      ArrowLeft: (t) => t - 1,
      ArrowRight: (t) => t + 1,
      ArrowUp: (t) => beside(t, -1),
      ArrowDown: (t) => beside(t, 1),
      Home: () => 0,
      End: () => spans.length - 1,
    };

    pre.setAttribute("role", "listbox");
    pre.setAttribute("aria-label", "The characters of the text");
    spans.forEach((span, k) => {
      span.setAttribute("role", "option");
      if (NAMES[span.textContent]) span.setAttribute("aria-label", name(k));
    });
    choose(spans.findIndex((span) => span.classList.contains("rn-chosen")));
    for (const event of ["pointerover", "click", "focusin"]) {
      pre.addEventListener(event, ({ target }) => choose(spans.indexOf(target)));
    }
    pre.addEventListener("keydown", (event) => {
      const move = keys[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      spans[move(spans.indexOf(event.target))]?.focus();
    });
    box.classList.add("rn-live");
  }

  const start = () => document.querySelectorAll(".rn-gradient:not(.rn-live)").forEach(enliven);
  // Material tells of each page that it shows.
  if (window.document$) window.document$.subscribe(start);
  else start();
})();
