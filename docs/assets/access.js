// For those who use the keyboard or listen: what scrolls sideways can be reached, so that the arrows
// can scroll it, and what the theme leaves without a name gets one.
(() => {
  "use strict";

  function reach(box) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }

  function name(selector, words) {
    document.querySelectorAll(selector).forEach((element, k) => {
      const said = words + (k ? ` ${k + 1}` : "");
      if (element.getAttribute("aria-label") !== said) element.setAttribute("aria-label", said);
    });
  }

  function start() {
    name(".md-search", "Search");
    name("nav.md-tags", "Tags");
    const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => reach(target)));
    // Code in boxes, too: an older theme leaves some out.
    const scrolling = ".md-typeset__scrollwrap, .rn-html, .rn-display, pre > code";
    document.querySelectorAll(scrolling).forEach((box) => watch.observe(box));
  }

  // The theme adds the buttons of a block of code when it comes into sight.
  const buttons = new MutationObserver(() => name("nav.md-code__nav", "Code block"));
  buttons.observe(document.body, { childList: true, subtree: true });

  // Material tells of each page that it shows.
  if (window.document$) window.document$.subscribe(start);
  else start();
})();
