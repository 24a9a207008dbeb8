/* A plain and a convex network, trained in the page on points that can be dragged.
   Data: kind, "line" (values are met) or "plane" (signs are met); frame [low, high, low, high]; points [n][d];
   targets [n]; networks {plain, convex}: S, b of each layer and W of each but the first. A network is
   z <- softplus(W z + S y + b), the last layer without softplus; the convex one keeps W >= 0. */
invex.interactive("input-convex.js", (stage, data, theme) => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", line = data.kind === "line", NAMES = ["plain", "convex"];
  const wide = (stage.parentElement.clientWidth || 680) > 480, WIDTH = line && wide ? 680 : 330, HEIGHT = 330, STEPS = 900, A_FRAME = 12, GRID = 56;
  const [left, right, bottom, top] = data.frame;
  const across = (a) => (a - left) / (right - left) * WIDTH, up = (b) => HEIGHT - (b - bottom) / (top - bottom) * HEIGHT;
  const softplus = (x) => x > 30 ? x : Math.log1p(Math.exp(x)), sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const copy = (value) => JSON.parse(JSON.stringify(value));

  /* A network as flat arrays, its gradient and Adam's two moments beside it. */
  function network(given, convex) {
    const layers = given.S.map((S, i) => ({
      size: S.length, S: Float64Array.from(S.flat()), b: Float64Array.from(given.b[i]),
      W: i ? Float64Array.from(given.W[i - 1].flat()) : null, z: new Float64Array(S.length), a: new Float64Array(S.length),
      d: new Float64Array(S.length),
    }));
    const tensors = layers.flatMap((layer) => ["S", "b", "W"].filter((k) => layer[k]).map((k) => {
      layer["g" + k] = new Float64Array(layer[k].length);
      return { value: layer[k], gradient: layer["g" + k], m: new Float64Array(layer[k].length), v: new Float64Array(layer[k].length), kept: convex && k === "W" };
    }));
    return { layers, tensors, time: 0 };
  }

  function value(net, y) {
    let before = null;
    for (const [i, layer] of net.layers.entries()) {
      const last = i === net.layers.length - 1, d = y.length;
      for (let j = 0; j < layer.size; j++) {
        let sum = layer.b[j];
        for (let k = 0; k < d; k++) sum += layer.S[j * d + k] * y[k];
        if (before) for (let k = 0; k < before.length; k++) sum += layer.W[j * before.length + k] * before[k];
        layer.a[j] = sum;
        layer.z[j] = last ? sum : softplus(sum);
      }
      before = layer.z;
    }
    return before[0];
  }

  function back(net, y, slope) {
    const { layers } = net, d = y.length;
    layers.forEach((layer) => layer.d.fill(0));
    layers[layers.length - 1].d[0] = slope;
    for (let i = layers.length - 1; i >= 0; i--) {
      const layer = layers[i], before = i ? layers[i - 1] : null;
      for (let j = 0; j < layer.size; j++) {
        const delta = layer.d[j] * (i === layers.length - 1 ? 1 : sigmoid(layer.a[j]));
        layer.gb[j] += delta;
        for (let k = 0; k < d; k++) layer.gS[j * d + k] += delta * y[k];
        if (before) for (let k = 0; k < before.size; k++) {
          layer.gW[j * before.size + k] += delta * before.z[k];
          before.d[k] += delta * layer.W[j * before.size + k];
        }
      }
    }
  }

  /* One update on all points; returns the root mean square error, or the number of points on the wrong side. */
  function step(net, rate) {
    let error = 0;
    net.tensors.forEach((t) => t.gradient.fill(0));
    points.forEach((y, i) => {
      const f = value(net, y), t = targets[i], short = line ? f - t : Math.max(0, 1 - t * f);
      back(net, y, 2 * short * (line ? 1 : -t) / points.length);
      error += line ? short * short / points.length : f * t <= 0;
    });
    net.time += 1;
    for (const t of net.tensors) for (let k = 0; k < t.value.length; k++) {
      const g = t.gradient[k];
      t.m[k] = .9 * t.m[k] + .1 * g;
      t.v[k] = .999 * t.v[k] + .001 * g * g;
      t.value[k] -= rate * t.m[k] / (1 - .9 ** net.time) / (Math.sqrt(t.v[k] / (1 - .999 ** net.time)) + 1e-8);
      if (t.kept && t.value[k] < 0) t.value[k] = 0;
    }
    return line ? Math.sqrt(error) : error;
  }

  /* The best that any convex function can do at points of the line: a line plus kinks with weights c >= 0 (least
     squares, one coordinate after the other). */
  function best() {
    const order = points.map(([x], i) => [x, targets[i]]).sort((p, q) => p[0] - q[0]), x = order.map(([at]) => at), n = x.length;
    const columns = [x.map(() => 1), x, ...x.slice(1, -1).map((kink) => x.map((at) => Math.max(at - kink, 0)))];
    const norms = columns.map((column) => column.reduce((sum, v) => sum + v * v, 0)), c = columns.map(() => 0), rest = order.map(([, t]) => t);
    for (let sweep = 0; sweep < 4000; sweep++) columns.forEach((column, k) => {
      if (!norms[k]) return;
      let along = 0;
      for (let i = 0; i < n; i++) along += column[i] * rest[i];
      const next = c[k] + along / norms[k], by = (k < 2 ? next : Math.max(next, 0)) - c[k];
      c[k] += by;
      for (let i = 0; i < n; i++) rest[i] -= by * column[i];
    });
    return { places: order.map(([at, t], i) => [at, t - rest[i]]), error: Math.sqrt(rest.reduce((sum, v) => sum + v * v, 0) / n) };
  }

  let points, targets, nets, left_over = 0, running = false;

  function element(parent, name, attributes = {}, text = "") {
    const made = name === "svg" || parent.namespaceURI === SVG ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, entry] of Object.entries(attributes)) made.setAttribute(key, entry);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }

  const row = element(stage, "div");
  row.style.cssText = `display:grid;grid-template-columns:repeat(auto-fit,minmax(min(${line ? 20 : 16}rem,100%),1fr));gap:.75rem`;
  const panels = (line ? [NAMES] : NAMES.map((name) => [name])).map((shown) => {
    const box = element(row, "div"), title = element(box, "div", { style: "font-size:.9rem;display:flex;gap:1.2rem" });
    const words = shown.map((name) => [name, element(title, "span", {}, name)]);
    const svg = element(box, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: "100%", style: "display:block;touch-action:pan-y" });
    const frame = element(svg, "rect", { x: .5, y: .5, width: WIDTH - 1, height: HEIGHT - 1, rx: 6, fill: "none" });
    const clip = `${stage.closest(".ix-artefact").id}-${shown[0]}`;
    element(element(svg, "clipPath", { id: clip }), "rect", { width: WIDTH, height: HEIGHT, rx: 6 });
    const inside = element(svg, "g", { "clip-path": `url(#${clip})`, fill: "none", "stroke-linejoin": "round" });
    const ticks = line ? [-2, -1, 1, 2].map((a) => element(inside, "text", { x: across(a), y: HEIGHT - 6, "text-anchor": "middle", "font-size": 12 }, String(a).replace("-", "\u2212")))
      .concat([-1, 1, 2, 3].map((b) => element(inside, "text", { x: 8, y: up(b) + 4, "font-size": 12 }, String(b).replace("-", "\u2212")))) : [];
    const axis = line ? element(inside, "path", { d: `M0 ${up(0)}H${WIDTH}M${across(0)} 0V${HEIGHT}`, "stroke-width": 1 }) : null;
    const drawn = shown.map((name) => ({
      name, region: line ? null : element(inside, "path", { opacity: .2 }),
      others: line ? null : element(inside, "path", { "stroke-width": .8 }), curve: element(inside, "path", { "stroke-width": 2.4 }),
    }));
    const bars = line ? element(inside, "path", { "stroke-width": 2 }) : null;
    return { svg, frame, axis, ticks, bars, words, drawn, handles: [] };
  });
  const controls = element(stage, "div", { style: "display:flex;flex-wrap:wrap;gap:.4rem .6rem;align-items:center;font-size:.9rem;margin-top:.4rem" });
  const said = element(stage, "div", { "aria-live": "polite", style: "font-size:.9rem;font-variant-numeric:tabular-nums;margin-top:.3rem" });

  /* What can be tried with one press: the points as they were, and two others that say something. */
  const LINE = { "two valleys": null, "a hill": (x) => 2 - .6 * x * x, "a tilted step": (x) => x < 0 ? -.5 : 1.5, "a bowl": (x) => .6 * x * x - .8 };
  const PLANE = { crescent: null, "two islands": (a, b) => Math.abs(Math.abs(a) - 1.1) + Math.abs(b) < .75 ? -1 : 1, "one island": (a, b) => a * a + b * b < 1.6 ? -1 : 1 };
  for (const [name, rule] of Object.entries(line ? LINE : PLANE)) {
    const button = element(controls, "button", { type: "button", style: "font:inherit;color:inherit;background:none;border:1px solid currentColor;border-radius:4px;padding:.1rem .6rem;cursor:pointer" }, name);
    button.addEventListener("click", () => choose(rule));
  }

  function choose(rule) {
    points = copy(data.points);
    targets = copy(data.targets);
    if (rule && line) targets = points.map(([x]) => rule(x));
    if (rule && !line) { /* an even grid: a rule needs points everywhere */
      points = Array.from({ length: 49 }, (_, i) => [(i % 7 - 3) * .65 + (i % 3 - 1) * .05, (Math.floor(i / 7) - 3) * .65]);
      targets = points.map(([a, b]) => rule(a, b));
    }
    nets = Object.fromEntries(NAMES.map((name) => [name, network(data.networks[name], name === "convex")]));
    handles();
    left_over = 0;
    if (rule) train(2); else draw();
  }

  function handles() {
    for (const panel of panels) {
      panel.handles.forEach((handle) => handle.remove());
      panel.handles = points.map((_, i) => {
        const handle = element(panel.svg, "circle", { r: wide ? 7 : 9, tabindex: 0, role: "button", style: "cursor:grab" });
        handle.addEventListener("pointerdown", (event) => { handle.setPointerCapture(event.pointerId); event.preventDefault(); handle.focus({ preventScroll: true }); });
        handle.addEventListener("touchstart", (event) => event.preventDefault()); /* or the page scrolls */
        handle.addEventListener("pointermove", (event) => {
          if (!handle.hasPointerCapture(event.pointerId)) return;
          const seen = panel.svg.getBoundingClientRect();
          place(i, left + (event.clientX - seen.left) / seen.width * (right - left), top - (event.clientY - seen.top) / seen.height * (top - bottom));
        });
        if (!line) handle.addEventListener("dblclick", () => turn(i));
        handle.addEventListener("keydown", (event) => {
          const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
          if (!line && (event.key === "Enter" || event.key === " ")) turn(i);
          else if (by) { const [a, b] = where(i); place(i, a + by[0] * (right - left) / 60, b + by[1] * (top - bottom) / 60); }
          else return;
          event.preventDefault();
        });
        return handle;
      });
    }
    paint();
  }

  const where = (i) => line ? [points[i][0], targets[i]] : points[i];
  const within = (v, low, high) => Math.min(Math.max(v, low + .02 * (high - low)), high - .02 * (high - low));
  function place(i, a, b) {
    [a, b] = [within(a, left, right), within(b, bottom, top)];
    if (line) { points[i] = [a]; targets[i] = b; } else points[i] = [a, b];
    train(1);
  }
  function turn(i) { targets[i] = -targets[i]; paint(); train(1); }

  /* Train on for a while, some steps a frame, at a rate that falls; Adam's moments begin anew with new points. */
  function train(times) {
    left_over = STEPS * times;
    Object.values(nets).forEach((net) => { net.time = 0; net.tensors.forEach((t) => { t.m.fill(0); t.v.fill(0); }); });
    if (!running) { running = true; requestAnimationFrame(frame); }
  }
  function frame() {
    for (let i = 0; i < A_FRAME && left_over > 0; i++, left_over--) {
      for (const net of Object.values(nets)) step(net, .03 * Math.min(1, .02 + left_over / STEPS));
    }
    running = left_over > 0;
    draw();
    if (running && stage.isConnected) requestAnimationFrame(frame);
  }

  const path = (found) => found.map(([a, b], i) => `${i ? "L" : "M"}${across(a).toFixed(2)} ${up(b).toFixed(2)}`).join("");
  function draw() {
    const errors = {}, possible = line ? best() : null;
    for (const panel of panels) {
      panel.handles.forEach((handle, i) => {
        const [a, b] = where(i);
        handle.setAttribute("cx", across(a));
        handle.setAttribute("cy", up(b));
        handle.setAttribute("aria-label", line ? `point at ${a.toFixed(2)}, value ${b.toFixed(2)}` : `point ${targets[i] < 0 ? "below" : "above"} zero at ${a.toFixed(2)}, ${b.toFixed(2)}`);
      });
      if (line) panel.bars.setAttribute("d", possible.places.map(([a, b]) => `M${across(a) - 8} ${up(b)}h16`).join(""));
      for (const drawn of panel.drawn) {
        const net = nets[drawn.name];
        if (line) drawn.curve.setAttribute("d", path(Array.from({ length: 121 }, (_, i) => { const x = left + i / 120 * (right - left); return [x, value(net, [x])]; })));
        else contours(drawn, net);
      }
    }
    for (const name of NAMES) {
      const found = points.map((y, i) => [value(nets[name], y), targets[i]]);
      errors[name] = line ? Math.sqrt(found.reduce((sum, [f, t]) => sum + (f - t) ** 2, 0) / found.length) : found.filter(([f, t]) => f * t <= 0).length;
    }
    const text = line ? `root mean square error: plain ${errors.plain.toFixed(2)}, convex ${errors.convex.toFixed(2)}, best possible convex function ${possible.error.toFixed(2)}`
      : `points on the wrong side: plain ${errors.plain}, convex ${errors.convex}`;
    const hint = line ? "Drag a point, or move it with the arrow keys." : "Drag a point, or move it with the arrow keys; double-click or Enter turns it.";
    said.textContent = running ? text : `${text}. ${hint}`;
    said.setAttribute("aria-busy", running);
  }

  /* Marching squares: the region below zero as polygons of one path, and the contours at some levels. */
  function contours(drawn, net) {
    const at = (i, low, high) => low + i / GRID * (high - low);
    const values = Array.from({ length: GRID + 1 }, (_, j) => Array.from({ length: GRID + 1 }, (_, i) => value(net, [at(i, left, right), at(j, bottom, top)])));
    let region = "", zero = "", others = "";
    for (let j = 0; j < GRID; j++) for (let i = 0; i < GRID; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]].map(([a, b]) => [at(a, left, right), at(b, bottom, top), values[b][a]]);
      const polygon = [];
      for (const level of [0, -2, -1, 1, 2, 3, 4]) {
        const met = [];
        corners.forEach(([a, b, f], k) => {
          const [c, d, g] = corners[(k + 1) % 4];
          if (!level && f < 0) polygon.push([a, b]);
          if ((f < level) === (g < level)) return;
          const share = (level - f) / (g - f), cut = [a + share * (c - a), b + share * (d - b)];
          met.push(cut);
          if (!level) polygon.push(cut);
        });
        for (let k = 0; k + 1 < met.length; k += 2) if (level) others += path(met.slice(k, k + 2)); else zero += path(met.slice(k, k + 2));
      }
      if (polygon.length > 2) region += path(polygon) + "Z";
    }
    drawn.region.setAttribute("d", region);
    drawn.curve.setAttribute("d", zero);
    drawn.others.setAttribute("d", others);
  }

  function paint() {
    const c = theme(), colours = { plain: c.ink, convex: c.second };
    for (const panel of panels) {
      panel.frame.setAttribute("stroke", c.grid);
      if (panel.axis) panel.axis.setAttribute("stroke", c.grid);
      if (panel.bars) panel.bars.setAttribute("stroke", c.muted);
      panel.ticks.forEach((tick) => tick.setAttribute("fill", c.muted));
      panel.words.forEach(([name, span]) => { span.style.color = colours[name]; span.style.fontWeight = 600; });
      panel.drawn.forEach(({ name, region, others, curve }) => {
        curve.setAttribute("stroke", colours[name]);
        if (region) region.setAttribute("fill", colours[name]);
        if (others) others.setAttribute("stroke", c.muted);
      });
      panel.handles.forEach((handle, i) => {
        const open = !line && targets[i] > 0;
        handle.setAttribute("fill", open ? c.ground : line ? c.accent : c.ink);
        handle.setAttribute("stroke", open ? c.ink : c.ground);
        handle.setAttribute("stroke-width", open ? 1.6 : 2);
      });
    }
  }

  document.addEventListener("invex:theme", paint);
  choose(null);
});
