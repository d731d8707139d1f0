// The theme of Airflow around this frame, before anything is painted, and whenever the reader changes it.
"use strict";
(() => {
  const root = document.documentElement;
  let host = null;
  try {
    // Outside Airflow, and where the frame is another site's, there is none.
    host = parent !== window && parent.document ? parent.document.documentElement : null;
  } catch {
    host = null;
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = host ? host.classList.contains("dark") : system.matches;
    const theme = dark ? "dark" : "light";
    if (root.dataset.theme !== theme) {
      root.dataset.theme = theme;
      document.dispatchEvent(new CustomEvent("nightsort:theme"));
    }
  };
  apply();
  if (host) new MutationObserver(apply).observe(host, { attributes: true, attributeFilter: ["class"] });
  else system.addEventListener("change", apply);
})();
