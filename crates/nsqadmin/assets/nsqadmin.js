// What pages do beyond what HTML does by itself. Without it all works but live updates.
"use strict";

(() => {
  const main = document.getElementById("main");

  // Light and dark: as the system says, until the reader chooses. A browser may forbid to remember.
  const theme = document.getElementById("theme");
  const remembered = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const remember = (chosen) => {
    try { localStorage.setItem("theme", chosen); } catch { /* It lasts as long as the page. */ }
  };
  const chosenBefore = remembered();
  if (chosenBefore) document.documentElement.dataset.theme = chosenBefore;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const current = document.documentElement.dataset.theme
      || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    const chosen = current === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = chosen;
    remember(chosen);
    for (const plot of plots.values()) plot.redraw();
  });

  // Moments in local time, with the day if it is not today.
  const shownTime = (moment) => (moment.toDateString() === new Date().toDateString()
    ? moment.toLocaleTimeString()
    : moment.toLocaleString());
  const showTimes = () => {
    for (const time of main.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) time.textContent = shownTime(moment);
    }
  };

  // What the reader has opened or begun to write stays as it is when the page changes, by a live
  // update or by htmx.
  Idiomorph.defaults.ignoreActiveValue = true;
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (before, after) => {
    if (!(before instanceof Element)) return true;
    if (before.hasAttribute("data-keep") && before.id === after.id) return false;
    if (before.localName === "details" && before.open) after.setAttribute("open", "");
    return true;
  };
  const change = (html) => {
    Idiomorph.morph(main, html, { morphStyle: "innerHTML" });
    afterChange();
  };
  const afterChange = () => {
    showTimes();
    drawCharts();
    countUp();
  };

  // Live updates, while the page is seen and not frozen. When there are none, that is said.
  const RETRY_MS = 5000;
  const freeze = document.getElementById("freeze");
  const liveText = freeze.textContent;
  const stale = document.getElementById("stale");
  let source = null;
  let frozen = false;
  let retry = 0;
  const sayStale = (reason) => {
    const text = reason ? `${stale.dataset.text} ${reason}` : "";
    freeze.classList.toggle("lost", text !== "");
    if (stale.textContent !== text) stale.textContent = text;
  };
  const disconnect = () => {
    clearTimeout(retry);
    if (source) source.close();
    source = null;
  };
  const connect = () => {
    disconnect();
    if (frozen || document.hidden || !main.dataset.live) return;
    const opened = new EventSource(main.dataset.live);
    source = opened;
    opened.addEventListener("page", (event) => {
      sayStale("");
      if (!document.querySelector("dialog[open]")) change(event.data);
    });
    opened.addEventListener("failed", (event) => sayStale(event.data));
    opened.addEventListener("error", () => {
      sayStale(stale.dataset.lost);
      // A browser gives up for good when the answer is no stream.
      if (opened.readyState === EventSource.CLOSED && source === opened) {
        clearTimeout(retry);
        retry = setTimeout(connect, RETRY_MS);
      }
    });
  };
  freeze.hidden = !main.dataset.live && !document.getElementById("tail");
  freeze.addEventListener("click", () => {
    frozen = !frozen;
    freeze.classList.toggle("frozen", frozen);
    freeze.textContent = frozen ? freeze.dataset.frozen : liveText;
    sayStale("");
    connect();
  });
  document.addEventListener("visibilitychange", connect);
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
  // A search or another order is another page to hear of.
  const isElsewhere = (event) => {
    const { path } = event.detail;
    main.dataset.live = path + (path.includes("?") ? "&" : "?") + "live";
    connect();
  };
  document.addEventListener("htmx:pushedIntoHistory", isElsewhere);
  document.addEventListener("htmx:replacedInHistory", isElsewhere);
  document.addEventListener("htmx:afterSwap", afterChange);
  // The answer to an older search must not replace that to a newer one.
  document.addEventListener("htmx:beforeRequest", disconnect);
  document.addEventListener("htmx:afterRequest", () => { if (!source) connect(); });

  // What was done is told once, not again when the page is loaded again.
  const here = new URL(location.href);
  const done = main.querySelector(".notice.done");
  if (done) {
    // So that it is read aloud, and the keyboard goes on from there.
    done.tabIndex = -1;
    done.focus();
  }
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(history.state, "", here);
  }

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
  const CHART_HEIGHT = 96;
  // Below this many values a line has gaps that would hide them.
  const VALUES_FEW = 20;
  // A shorter time is not stretched over the whole width.
  const SPAN_MIN_S = 60;
  const plots = new Map();
  let drawnAt = 0;
  let drawing = false;
  const color = (name) => () => {
    const probe = document.createElement("span");
    probe.hidden = true;
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
  const { lang } = document.documentElement;
  const short = (number) => Intl.NumberFormat(lang, { notation: "compact" }).format(number);
  const clock = (seconds, style) => new Date(seconds * 1000).toLocaleTimeString([], style);
  const sizeOf = (element) => ({ width: element.clientWidth || 300, height: CHART_HEIGHT });
  // What the pointer points at, in all charts at once.
  const sayPointed = (plot, place) => {
    const [times, values] = plot.data;
    const at = plot.cursor.idx;
    const isKnown = at != null && values[at] != null;
    place.textContent = isKnown ? `${clock(times[at])} · ${values[at].toLocaleString(lang)}` : "";
  };
  const newPlot = (element, data) => {
    element.replaceChildren();
    const pointed = document.createElement("span");
    pointed.className = "pointed";
    const axis = {
      stroke: color("--faint"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui",
    };
    const times = (plot, ticks) => {
      const isShort = plot.scales.x.max - plot.scales.x.min < 300;
      const style = { hour: "2-digit", minute: "2-digit", ...(isShort && { second: "2-digit" }) };
      return ticks.map((tick) => clock(tick, style));
    };
    const hasFew = (plot) => plot.data[1].filter((value) => value != null).length < VALUES_FEW;
    const plot = new uPlot({
      ...sizeOf(element),
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, sync: { key: "charts" } },
      scales: {
        x: { range: (_, first, last) => [Math.min(first, last - SPAN_MIN_S), last] },
        y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] },
      },
      axes: [
        { ...axis, size: 20, space: 80, values: times },
        { ...axis, size: 44, space: 26, values: (_, ticks) => ticks.map(short) },
      ],
      series: [{}, {
        stroke: color("--accent"),
        width: 1.5,
        spanGaps: false,
        points: { show: hasFew, size: 4, fill: color("--accent") },
      }],
      hooks: { setCursor: [(it) => sayPointed(it, pointed)] },
    }, data, element);
    plot.root.setAttribute("aria-hidden", "true");
    plot.root.append(pointed);
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
      if (history.times.length === 0) return;
      for (const element of section.querySelectorAll("[data-plot]")) {
        const data = [history.times, history[element.dataset.plot]];
        const known = plots.get(element);
        if (known) known.setData(data); else newPlot(element, data);
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
    for (const [element, plot] of plots) plot.setSize(sizeOf(element));
  });

  // Graphite's pictures say what was when they were drawn.
  const PICTURES_EVERY_MS = 60000;
  setInterval(() => {
    if (frozen || document.hidden) return;
    for (const picture of main.querySelectorAll(".graph img")) {
      const source = new URL(picture.src);
      source.searchParams.set("_salt", Date.now());
      picture.src = source;
    }
  }, PICTURES_EVERY_MS);

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
    // What has come while the tail was held, newest first.
    const held = [];
    const showHeld = () => {
      tail.prepend(...held.splice(0));
      while (tail.childElementCount > TAIL_ROWS_MAX) tail.lastElementChild.remove();
    };
    freeze.addEventListener("click", () => { if (!frozen) showHeld(); });
    messages.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      const row = document.createElement("li");
      const head = document.createElement("p");
      const when = new Date(Number(BigInt(message.timestamp) / 1000000n));
      head.className = "since";
      const attempts = message.attempts > 1 ? ` · ${tail.dataset.attempts} ${message.attempts}` : "";
      const form = message.is_text ? "" : ` · ${tail.dataset.binary}`;
      const part = message.truncated ? ` · ${tail.dataset.truncated}` : "";
      head.textContent = `${shownTime(when)} · ${message.node} · ${message.id}${attempts}${form}${part}`;
      const body = document.createElement("pre");
      body.textContent = message.body;
      row.append(head, body);
      held.unshift(row);
      held.length = Math.min(held.length, TAIL_ROWS_MAX);
      if (!frozen) showHeld();
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
    let hasBegun = false;
    messages.addEventListener("open", () => { hasBegun = true; });
    messages.addEventListener("error", async () => {
      if (hasBegun) {
        end("");
        return;
      }
      messages.close();
      // Why there is no stream is in the answer, which an event source does not show.
      try {
        const answer = await fetch(tail.dataset.tail, { headers: { accept: "text/event-stream" } });
        if (answer.ok) answer.body.cancel(); else say((await answer.json()).message);
      } catch {
        say(stale.dataset.lost);
      }
    });
    addEventListener("pagehide", () => messages.close());
  }

  afterChange();
  connect();
})();
