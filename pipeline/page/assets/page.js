"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const wide = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
  const percent = (share) => `${wide.format(100 * share)}\u202f%`;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  // The theme: as the system, or the other one.
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const toggle = find("theme");
  const themes = ["as the system", "light", "dark"];
  let theme = 0;
  toggle.addEventListener("click", () => {
    theme = (theme + 1) % themes.length;
    if (theme) root.dataset.theme = themes[theme];
    else delete root.dataset.theme;
    toggle.textContent = `Theme: ${themes[theme]}`;
    redraw();
  });
  dark.addEventListener("change", () => redraw());

  // Explanations: shown where the pointer or the keyboard rests, one at a time.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "tooltip");
  tip.hidden = true;
  document.body.append(tip);
  let waiting = 0;
  let shownFor = null;
  const termOf = (target) => {
    if (!(target instanceof Element)) return null;
    const own = target.closest("[data-term]");
    if (own) return [own, own.dataset.term];
    const cell = target.closest("tbody td");
    const head = cell && cell.closest("table").tHead;
    const above = head && head.rows[0].cells[cell.cellIndex].querySelector("[data-term]");
    return above ? [cell, above.dataset.term] : null;
  };
  const hide = () => {
    clearTimeout(waiting);
    tip.hidden = true;
    shownFor = null;
  };
  const show = (element, key) => {
    const meaning = find(key);
    if (!meaning) return;
    shownFor = element;
    tip.textContent = meaning.textContent;
    tip.hidden = false;
    const at = element.getBoundingClientRect();
    const below = at.bottom + tip.offsetHeight + 8 < innerHeight;
    const left = Math.min(at.left, root.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - tip.offsetHeight - 6)}px`;
  };
  document.addEventListener("pointerover", (event) => {
    const found = termOf(event.target);
    if (found && found[0] === shownFor) return;
    hide();
    if (found) waiting = setTimeout(show, found[0].matches("td") ? 700 : 200, ...found);
  });
  document.addEventListener("focusin", (event) => {
    const found = event.target.matches("[data-term]") && termOf(event.target);
    hide();
    if (found) show(...found);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a.term");
    if (!link || event.ctrlKey || event.metaKey || event.detail === 0) return;
    event.preventDefault(); // a tap explains in place; the keyboard's Enter goes to the glossary
    clearTimeout(waiting);
    show(link, link.dataset.term);
  });

  // Tables that sort.
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v;
    if (text === "–" || text === "") return null;
    const number = Number(text.replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("th[aria-sort] button");
    if (!button) return;
    const heading = button.closest("th");
    const table = heading.closest("table");
    const first = heading.classList.contains("n") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const way = heading.getAttribute("aria-sort") === first ? second : first;
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    heading.setAttribute("aria-sort", way);
    const sign = way === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [valueOf(row, heading.cellIndex), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * compare(a, b);
    });
    body.append(...rows.map(([, row]) => row));
  });
  const only = find("only-outliers");
  if (only) {
    only.addEventListener("change", () => {
      for (const row of find("by-shard").tBodies[0].rows) {
        row.hidden = only.checked && !row.querySelector("td.out");
      }
    });
  }

  // Folds: what a link leads to is opened, and one button opens or closes all.
  const folds = Array.from(document.querySelectorAll("details.fold"));
  const reveal = (key) => {
    const target = find(key);
    for (let at = target; at; at = at.parentElement) if (at.matches("details")) at.open = true;
    return target;
  };
  const follow = () => {
    const target = reveal(location.hash.slice(1));
    if (target) target.scrollIntoView();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#']");
    if (link && !event.defaultPrevented) reveal(link.hash.slice(1));
  });
  addEventListener("hashchange", follow);
  const every = find("folds");
  const label = () => {
    every.textContent = folds.every((fold) => fold.open) ? "Close all" : "Open all";
  };
  every.addEventListener("click", () => {
    const open = !folds.every((fold) => fold.open);
    for (const fold of folds) fold.open = open;
  });
  for (const fold of folds) fold.addEventListener("toggle", label);

  // Charts: the library is unpacked when the first of them is seen; a hash in the policy lets it
  // run. All of it is synchronous, as a printed page has to be drawn at once.
  const unpack = () => {
    const holder = find("plotly");
    if (!holder) return;
    const text = atob(holder.textContent);
    const packed = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) packed[at] = text.charCodeAt(at);
    const script = document.createElement("script");
    script.textContent = new TextDecoder().decode(inflate(packed));
    document.head.append(script);
    if (typeof Plotly === "undefined") throw new Error("this browser does not let the charts run");
    holder.remove();
  };
  const layout = (more) => ({
    autosize: true,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--text") },
    margin: { l: 60, r: 16, t: 16, b: 48 },
    hoverlabel: { bgcolor: colour("--raised"), font: { color: colour("--text") } },
    legend: { orientation: "h", y: -0.24, yanchor: "top" },
    ...more,
  });
  const axis = (title, more) => ({
    title: { text: title },
    gridcolor: colour("--line"),
    linecolor: colour("--line"),
    zeroline: false,
    automargin: true,
    ...more,
  });
  const config = {
    displaylogo: false,
    responsive: true,
    scrollZoom: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };

  const drawFrontier = (width) => {
    const own = data.frontier;
    const x = own.human_share.map((share) => 100 * share);
    const hover = "%{x:.3g} % human: %{y:.4f} nats<extra></extra>";
    const line = (name, y, yaxis, dash, shade) => ({
      name, x, y, yaxis, hovertemplate: hover, mode: "lines+markers", line: { dash, color: shade },
      marker: { size: 5, color: shade },
    });
    const [low, high] = [colour("--low-text"), colour("--high-text")];
    const traces = [
      line("entropy", own.entropy, "y", "solid", low),
      line("highest entropy (α = 0)", own.highest_entropy, "y", "dot", low),
    ];
    const divergence = own.kl.some((value) => value !== null);
    if (divergence) {
      traces.push(line("KL to human", own.kl, "y2", "solid", high));
      traces.push(line("lowest KL (α = 1)", own.lowest_kl, "y2", "dot", high));
    }
    const here = (y, yaxis, showlegend) => ({
      name: "this run", x: [100 * own.run.human_share], y: [y], yaxis, showlegend, mode: "markers",
      hovertemplate: "this run: %{x:.3g} % human, %{y:.4f} nats<extra></extra>",
      marker: { symbol: "star", size: 16, color: colour("--text") },
    });
    traces.push(here(own.run.entropy, "y", true));
    if (divergence && own.run.kl !== null) traces.push(here(own.run.kl, "y2", false));
    const shapes = [];
    const annotations = [];
    const level = (value, yref, text) => {
      if (value === null) return;
      shapes.push({
        type: "line", xref: "paper", x0: 0, x1: 1, yref, y0: value, y1: value,
        line: { color: colour("--quiet"), width: 1, dash: "dash" },
      });
      annotations.push({
        xref: "paper", x: 1, xanchor: "right", yref, y: value, yanchor: "bottom", text,
        showarrow: false, font: { size: 11, color: colour("--quiet") },
      });
    };
    level(own.reference_entropy, "y", "human text");
    level(own.entropy_floor, "y", "floor asked for");
    if (divergence) level(own.max_kl, "y2", "ceiling asked for");
    const narrow = width < 620;
    const both = divergence && !narrow;
    const x1 = axis("human share of the tokens, %", { anchor: narrow && divergence ? "y2" : "y" });
    const more = { xaxis: x1, yaxis: axis("entropy, nats"), shapes, annotations, height: 380 };
    if (divergence && narrow) {
      more.yaxis.domain = [0.56, 1];
      more.yaxis2 = axis("KL, nats", { domain: [0, 0.44], rangemode: "tozero" });
      more.height = 520;
      more.legend = { orientation: "h", y: -0.14, yanchor: "top" };
    }
    if (both) {
      x1.domain = [0, 0.45];
      more.xaxis2 = axis("human share of the tokens, %", { domain: [0.55, 1], anchor: "y2" });
      more.yaxis2 = axis("KL to human, nats", { anchor: "x2", rangemode: "tozero" });
      for (const trace of traces) if (trace.yaxis === "y2") trace.xaxis = "x2";
      for (const item of [...shapes, ...annotations]) {
        item.xref = item.yref === "y2" ? "x2 domain" : "x domain";
      }
    }
    return [traces, layout(more)];
  };

  const drawSaturation = (place) => {
    const dashes = ["solid", "dot", "dash", "dashdot", "longdash"];
    const symbols = ["circle", "square", "diamond", "triangle-up", "x"];
    const shades = ["--low-text", "--high-text", "--quiet", "--text"];
    const traces = data.saturation.map((own, at) => ({
      name: plain(own.source),
      x: own.gains.map((_, k) => k + 1),
      y: own.gains,
      mode: "lines+markers",
      line: { dash: dashes[at % dashes.length], color: colour(shades[at % shades.length]) },
      marker: { symbol: symbols[at % symbols.length], size: 6 },
      hovertemplate: "answer %{x} brings %{y:.3f} new answers<extra></extra>",
    }));
    const shapes = [{
      type: "line", xref: "paper", x0: 0, x1: 1, y0: 0.05, y1: 0.05,
      line: { color: colour("--quiet"), width: 1, dash: "dash" },
    }];
    const annotations = [{
      xref: "paper", x: 1, xanchor: "right", y: 0.05, yanchor: "bottom", showarrow: false,
      text: "a twentieth: sampling on no longer pays", font: { color: colour("--quiet"), size: 11 },
    }];
    const most = Math.max(...data.saturation.map((own) => own.gains.length));
    const x = axis("answer k to a prompt", most < 12 ? { dtick: 1 } : {});
    const y = axis("new answers it brings", { range: [0, 1.05] });
    const showlegend = traces.length > 1;
    return [traces, layout({ xaxis: x, yaxis: y, shapes, annotations, showlegend, height: 360 })];
  };
  // What the library prints is read as markup there, so nothing of the corpus may look like it.
  const plain = (text) => text.replace(/[<>&]/g, "·");

  const REACH = 4; // a ratio beyond it, or below its inverse, has the last colour
  const NAMED = 5; // clusters at each end whose first word stands on the map
  let current = -1;
  let selected = [];
  const ratioOf = (at) => {
    const own = data.clusters;
    if (own.human[at] > 0) return own.share[at] / own.human[at];
    return own.share[at] > 0 ? Infinity : 1;
  };
  const signOf = (ratio) => {
    if (ratio >= data.clusters.even) return "▲";
    return ratio <= 1 / data.clusters.even ? "▼" : "●";
  };
  const mapHeight = (width) => Math.max(380, Math.min(620, width * 0.8));
  const mapSize = (width) => {
    const own = data.clusters;
    const largest = Math.max(...own.human, 1e-12);
    const area = width * mapHeight(width);
    const whole = Math.min(Math.sqrt(0.16 * area), 60 / Math.sqrt(largest)); // of a share of 1
    return own.human.map((share) => Math.max(4, whole * Math.sqrt(share)));
  };
  const drawMap = (width) => {
    const own = data.clusters;
    const ratios = own.number.map((_, at) => ratioOf(at));
    const scaled = ratios.map((ratio) => {
      const log = ratio > 0 ? Math.log2(ratio) : -Infinity;
      return Math.max(-Math.log2(REACH), Math.min(Math.log2(REACH), log));
    });
    const symbols = ratios.map(
      (ratio) => ({ "▲": "triangle-up", "▼": "triangle-down", "●": "circle" })[signOf(ratio)],
    );
    const even = colour("--line");
    const ticks = [1 / REACH, 0.5, 1, 2, REACH];
    const sizes = mapSize(width);
    const cells = {
      type: "scatter", mode: "markers", x: own.x, y: own.y, hoverinfo: "none",
      marker: {
        size: sizes, symbol: symbols, color: scaled, opacity: 0.9,
        cmin: -Math.log2(REACH), cmax: Math.log2(REACH),
        colorscale: [
          [0, `rgb(${colour("--low")})`], [0.35, `rgba(${colour("--low")},.6)`], [0.5, even],
          [0.65, `rgba(${colour("--high")},.6)`], [1, `rgb(${colour("--high")})`],
        ],
        line: { width: 0.6, color: colour("--quiet") },
        colorbar: {
          orientation: "h", thickness: 10, len: 0.8, y: -0.02, yanchor: "top", outlinewidth: 0,
          title: { text: "corpus ÷ human share", side: "bottom" },
          tickvals: ticks.map(Math.log2), ticktext: ["▼ ≤ ¼", "½", "1", "2", "≥ 4 ▲"],
        },
      },
    };
    const ends = own.number.map((_, at) => at).filter((at) => at < NAMED || at >= own.number.length - NAMED);
    const named = ends.filter((at) => own.words[at] && signOf(ratios[at]) !== "●");
    const names = {
      type: "scatter", mode: "text", hoverinfo: "skip", textposition: "top center",
      x: named.map((at) => own.x[at]), y: named.map((at) => own.y[at]),
      text: named.map((at) => plain(own.words[at].split(",")[0]).slice(0, 16)),
      textfont: { size: 12, color: colour("--text") },
    };
    const none = { visible: false, fixedrange: false };
    return [
      [cells, names],
      layout({
        xaxis: none, yaxis: { ...none, scaleanchor: "x" }, showlegend: false, height: mapHeight(width),
        shapes: ringsOf(sizes), margin: { l: 8, r: 8, t: 8, b: 70 }, hovermode: "closest", dragmode: "pan",
      }),
    ];
  };
  const line = (tag, text, name) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (name) element.className = name;
    if (name === "corpus") element.dir = "auto";
    return element;
  };
  const showCluster = (at) => {
    const own = data.clusters;
    current = at;
    const ratio = ratioOf(at);
    const list = document.createElement("dl");
    const times = Number.isFinite(ratio) ? `${wide.format(ratio)}×` : "no human text";
    for (const [name, value] of [
      ["human share", percent(own.human[at])],
      ["corpus share", percent(own.share[at])],
      ["corpus ÷ human", `${signOf(ratio)} ${times}`],
    ]) list.append(line("dt", name), line("dd", value));
    const parts = [line("h3", `Cluster ${own.number[at]}`), line("p", own.words[at], "corpus"), list];
    for (const [whose, text] of [["human text", own.human_text[at]], ["corpus", own.text[at]]]) {
      if (text !== null) parts.push(line("h4", whose), line("p", text, "corpus"));
    }
    find("map-panel").replaceChildren(...parts);
    markMap();
  };
  const RINGS = 200; // that are drawn at once
  const ringsOf = (size) => {
    const own = data.clusters;
    const ring = (at, room, width) => ({
      type: "circle", xsizemode: "pixel", ysizemode: "pixel", xanchor: own.x[at], yanchor: own.y[at],
      x0: -size[at] / 2 - room, x1: size[at] / 2 + room, y0: -size[at] / 2 - room,
      y1: size[at] / 2 + room, line: { color: colour("--text"), width },
    });
    const shapes = selected.slice(0, RINGS).map((at) => ring(at, 3, 1.5));
    return current < 0 ? shapes : [...shapes, ring(current, 5, 3)];
  };
  const markMap = () => {
    const place = find("map");
    if (place.data) Plotly.relayout(place, { shapes: ringsOf(place.data[0].marker.size) });
  };
  const ready = {
    map: (place) => {
      place.on("plotly_hover", ({ points: [point] }) => {
        if (point.curveNumber === 0 && point.pointNumber !== current) showCluster(point.pointNumber);
      });
      place.on("plotly_click", ({ points: [point] }) => showCluster(point.pointNumber));
    },
  };
  if (data.clusters) {
    const own = data.clusters;
    const panel = find("map-panel");
    const last = own.number.length - 1;
    panel.append(line("p", "Rest on a cluster, or step through them from the most starved to the most swollen.", "note"));
    if (own.dropped) panel.append(line("p", "Texts are given for the larger clusters.", "note"));
    const steps = () => (selected.length ? selected : own.number.map((_, at) => at));
    find("map-back").addEventListener("click", () => {
      const before = steps().filter((at) => current < 0 || at < current);
      showCluster(current < 0 ? before[0] : before.length ? before[before.length - 1] : current);
    });
    find("map-on").addEventListener("click", () => {
      const after = steps().filter((at) => at > current);
      showCluster(current < 0 ? steps()[steps().length - 1] : after.length ? after[0] : Math.min(current, last));
    });
    find("map-find").addEventListener("input", (event) => {
      const word = event.target.value.trim().toLowerCase();
      selected = [];
      if (word) {
        own.words.forEach((words, at) => words.toLowerCase().includes(word) && selected.push(at));
      }
      find("map-found").textContent = word ? `${selected.length.toLocaleString("en")} found` : "";
      if (selected.length) showCluster(selected[0]);
      else markMap();
    });
  }

  const charts = { frontier: drawFrontier, saturation: drawSaturation, map: drawMap };
  const places = Array.from(document.querySelectorAll(".chart"));
  const drawn = new Set();
  const fail = (place, error) => {
    place.replaceChildren(line("p", `No chart: ${error.message}. The tables hold the same figures.`, "failed"));
    place.dataset.drawn = "failed";
  };
  const draw = (place, paper) => {
    try {
      unpack();
      const [traces, shape] = charts[place.id](paper || place.clientWidth);
      if (paper) Object.assign(shape, { width: paper, autosize: false });
      Plotly.react(place, traces, shape, config).catch((error) => fail(place, error));
      if (!drawn.has(place) && ready[place.id]) ready[place.id](place);
      drawn.add(place);
      place.dataset.drawn = "";
    } catch (error) {
      fail(place, error);
    }
  };
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    },
    { rootMargin: "600px" },
  );
  // What lies in a closed fold has no width: it is drawn when it is seen again.
  const redraw = () => {
    for (const place of drawn) if (place.clientWidth) draw(place);
    for (const place of places) if (!place.clientWidth) seen.observe(place);
  };
  for (const place of places) seen.observe(place);

  // A printed page is open, light, and has its charts at the width of a page.
  const PAPER = 660;
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = Array.from(document.querySelectorAll("details:not([open])"));
    for (const fold of closed) fold.open = true;
    root.dataset.theme = "light";
    for (const place of places) draw(place, PAPER);
  });
  addEventListener("afterprint", () => {
    for (const fold of closed) fold.open = false;
    if (theme) root.dataset.theme = themes[theme];
    else delete root.dataset.theme;
    redraw();
  });
  follow();
  root.dataset.ready = "";
})();
