// What pages do beyond what HTML does by itself. Without it all works but live updates.
"use strict";

(() => {
  const main = document.getElementById("main");

  // Light and dark: as the system says, until the reader chooses.
  const theme = document.getElementById("theme");
  const remembered = localStorage.getItem("theme");
  if (remembered) document.documentElement.dataset.theme = remembered;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
      || (!document.documentElement.dataset.theme
        && matchMedia("(prefers-color-scheme: dark)").matches);
    const chosen = dark ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    localStorage.setItem("theme", chosen);
    drawCharts();
  });

  // Moments in local time.
  const showTimes = () => {
    for (const time of main.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) time.textContent = moment.toLocaleTimeString(document.documentElement.lang);
    }
  };

  // What the reader has opened or begun to write stays as it is when the page changes.
  const keepState = {
    beforeNodeMorphed: (before, after) => {
      if (!(before instanceof Element)) return true;
      if (before.hasAttribute("data-keep") && before.id === after.id) return false;
      if (before.localName === "details" && before.open) after.setAttribute("open", "");
      return true;
    },
  };
  const change = (html) => {
    Idiomorph.morph(main, html, { morphStyle: "innerHTML", ignoreActiveValue: true, callbacks: keepState });
    afterChange();
  };
  const afterChange = () => {
    showTimes();
    drawCharts();
    countUp();
  };

  // Live updates, while the page is seen and not frozen.
  const freeze = document.getElementById("freeze");
  const liveText = freeze.textContent;
  let source = null;
  let frozen = false;
  const disconnect = () => {
    if (source) source.close();
    source = null;
  };
  const connect = () => {
    disconnect();
    if (frozen || document.hidden || !main.dataset.live) return;
    source = new EventSource(main.dataset.live);
    source.addEventListener("page", (event) => {
      if (!document.querySelector("dialog[open]")) change(event.data);
    });
  };
  freeze.hidden = false;
  freeze.addEventListener("click", () => {
    frozen = !frozen;
    freeze.setAttribute("aria-pressed", String(frozen));
    freeze.textContent = frozen ? freeze.dataset.frozen : liveText;
    connect();
  });
  document.addEventListener("visibilitychange", connect);
  addEventListener("pagehide", disconnect);
  // A search or another order is another page to hear of.
  document.addEventListener("htmx:pushedIntoHistory", (event) => {
    const path = event.detail.path;
    main.dataset.live = path + (path.includes("?") ? "&" : "?") + "live";
    connect();
  });
  document.addEventListener("htmx:afterSwap", afterChange);
  // The answer to an older search must not replace that to a newer one.
  document.addEventListener("htmx:beforeRequest", disconnect);
  document.addEventListener("htmx:afterRequest", () => { if (!source) connect(); });

  // Another time frame is chosen for the page as it is searched and sorted by now.
  const timeframe = document.querySelector("form.timeframe");
  if (timeframe) {
    timeframe.addEventListener("submit", (event) => {
      event.preventDefault();
      const page = new URL(location.href);
      page.searchParams.set("t", timeframe.elements.t.value);
      location.assign(page);
    });
  }

  // Asked before it is done.
  const dialog = document.getElementById("confirm");
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = form.dataset.confirm;
    if (!question || form.elements.confirmed) return;
    event.preventDefault();
    document.getElementById("confirm-text").textContent = question;
    const yes = document.getElementById("confirm-yes");
    yes.textContent = form.querySelector("button").textContent;
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      if (dialog.returnValue !== "yes") return;
      const sure = document.createElement("input");
      Object.assign(sure, { type: "hidden", name: "confirmed", value: "yes" });
      form.append(sure);
      form.submit();
    }, { once: true });
    dialog.showModal();
  });

  // Charts: the history once, and again when the page has changed, but not too often.
  const CHART_PAUSE_MS = 5000;
  const plots = new Map();
  let drawnAt = 0;
  let drawing = false;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const resolved = (name) => {
    const probe = document.createElement("span");
    probe.hidden = true;
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value || color(name);
  };
  const short = (number) => Intl.NumberFormat(document.documentElement.lang, { notation: "compact" }).format(number);
  const draw = (element, times, values) => {
    const known = plots.get(element);
    if (known) known.destroy();
    element.replaceChildren();
    const axis = { stroke: resolved("--faint"), grid: { stroke: resolved("--line"), width: 1 }, ticks: { show: false } };
    const label = element.closest("figure").querySelector("figcaption").firstChild.textContent.trim();
    const plot = new uPlot({
      width: element.clientWidth || 300,
      height: 96,
      legend: { show: false },
      cursor: { drag: { x: true, y: false } },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [
        { ...axis, size: 20, space: 70, font: "11px system-ui" },
        { ...axis, size: 44, space: 26, font: "11px system-ui", values: (_, ticks) => ticks.map(short) },
      ],
      series: [{}, { label, stroke: resolved("--accent"), width: 1.5, spanGaps: false, points: { show: false } }],
    }, [times, values], element);
    plot.root.setAttribute("aria-hidden", "true");
    plots.set(element, plot);
  };
  const drawCharts = async () => {
    const section = main.querySelector("[data-charts]");
    if (!section || drawing) return;
    const isNew = !plots.has(section.querySelector("[data-plot]"));
    if (!isNew && Date.now() - drawnAt < CHART_PAUSE_MS) return;
    drawing = true;
    drawnAt = Date.now();
    try {
      const answer = await fetch(section.dataset.charts, { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      const history = await answer.json();
      for (const element of section.querySelectorAll("[data-plot]")) {
        draw(element, history.times, history[element.dataset.plot]);
      }
      for (const [element, plot] of plots) {
        if (element.isConnected) continue;
        plot.destroy();
        plots.delete(element);
      }
    } catch {
      // The drawing in the page stays.
    } finally {
      drawing = false;
    }
  };
  addEventListener("resize", () => {
    for (const [element, plot] of plots) plot.setSize({ width: element.clientWidth || 300, height: 96 });
  });

  // The counter runs from one figure to the next.
  let counted = null;
  const countUp = () => {
    const element = document.getElementById("counter");
    if (!element) return;
    const to = Number(element.dataset.count);
    const from = counted ?? to;
    counted = to;
    if (from === to || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const began = performance.now();
    const step = (now) => {
      if (counted !== to || !element.isConnected) return;
      const part = Math.min((now - began) / 1500, 1);
      element.textContent = Math.round(from + (to - from) * part).toLocaleString("en");
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };

  // Messages as they come.
  const TAIL_ROWS_MAX = 500;
  const tail = document.getElementById("tail");
  if (tail) {
    const state = document.getElementById("tail-state");
    const messages = new EventSource(tail.dataset.tail);
    const say = (text) => { state.textContent = text; };
    say(tail.dataset.waiting);
    messages.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      const row = document.createElement("li");
      const head = document.createElement("p");
      const when = new Date(Number(BigInt(message.timestamp) / 1000000n));
      head.className = "since";
      head.textContent = `${when.toLocaleString(document.documentElement.lang)} · ${message.id} · ${message.node} · ${message.attempts}`;
      const body = document.createElement("pre");
      body.textContent = message.body;
      row.append(head, body);
      tail.prepend(row);
      while (tail.childElementCount > TAIL_ROWS_MAX) tail.lastElementChild.remove();
      say("");
    });
    let skipped = 0;
    messages.addEventListener("skipped", (event) => {
      skipped += JSON.parse(event.data).count;
      say(`${tail.dataset.skipped} ${skipped.toLocaleString("en")}`);
    });
    messages.addEventListener("notice", (event) => say(JSON.parse(event.data).message));
    const end = (reason) => {
      messages.close();
      say(`${tail.dataset.ended} ${reason}`);
    };
    messages.addEventListener("end", (event) => end(JSON.parse(event.data).message));
    messages.addEventListener("error", () => end(""));
    addEventListener("pagehide", () => messages.close());
  }

  afterChange();
  connect();
})();
