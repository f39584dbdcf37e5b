// The theme asks for the index of the search on every page, at once: more bytes than all the rest of
// it. Here that waits until somebody turns to the search, or comes with a question in the address.
(() => {
  "use strict";

  const asked = new URLSearchParams(location.search);
  if (asked.has("q") || asked.has("h")) return;

  const { open, send } = XMLHttpRequest.prototype;
  const held = new Set();

  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    if (String(url).includes("/search/search_index.json")) held.add(this);
    return open.call(this, method, url, ...rest);
  };

  XMLHttpRequest.prototype.send = function (body) {
    if (!held.has(this)) send.call(this, body);
  };

  function want({ target }) {
    if (!target.closest(".md-search, [for='__search']")) return;
    XMLHttpRequest.prototype.open = open;
    XMLHttpRequest.prototype.send = send;
    held.forEach((request) => request.send());
    held.clear();
    turns.forEach((turn) => document.removeEventListener(turn, want));
  }

  // The keys that open the search put the focus into it.
  const turns = ["focusin", "pointerdown"];
  turns.forEach((turn) => document.addEventListener(turn, want));
})();
