// Brings the marked parts of a page up to date every two seconds. Without it the page is complete, only not alive.
"use strict";

const PERIOD_MS = 2000;

function scrollToEnd(part) {
  if (part.hasAttribute("data-scroll-end")) {
    part.scrollTop = part.scrollHeight;
  }
}

async function refresh() {
  const parts = document.querySelectorAll("[data-live]");
  if (document.hidden || parts.length === 0) {
    return;
  }
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!response.ok) {
    return;
  }
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelectorAll("[data-live]");
  parts.forEach((part, place) => {
    // Nothing moves under the fingers of somebody who is inside the part, or who has changed nothing to see.
    if (!fresh[place] || part.innerHTML === fresh[place].innerHTML || part.querySelector(":focus")) {
      return;
    }
    const atEnd = part.scrollTop + part.clientHeight >= part.scrollHeight - 40;
    part.replaceChildren(...fresh[place].childNodes);
    if (atEnd) {
      scrollToEnd(part);
    }
  });
}

document.querySelectorAll("[data-live]").forEach(scrollToEnd);
// A carrier that is being restarted is asked again at the next turn.
setInterval(() => refresh().catch(() => undefined), PERIOD_MS);
