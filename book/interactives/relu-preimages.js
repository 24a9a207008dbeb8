/* Figure 3.1 to touch: move a point through the plane of two inputs and see all inputs with the same output.
   Data: reach, half the side of the frame; networks of {name, weight, bias, cells}, where a cell has `on` (0 or 1 a
   unit), `outline` (corners), `kind` and `condition`. What a cell is was decided by linear programming beforehand. */
invex.interactive("relu-preimages.js", (stage, data, theme) => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", SIZE = 400, REACH = data.reach;
  const WORDS = { singleton: "one point", compact: "bounded", unbounded: "unbounded: it leaves the frame and never ends" };
  const state = { network: 0, point: [0.05, -0.05] };

  function element(parent, name, attributes = {}, text = "") {
    const made = name === "svg" || parent.namespaceURI === SVG
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }

  const row = element(stage, "div", { style: "display:flex;flex-wrap:wrap;gap:1rem;align-items:center" });
  const svg = element(row, "svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, style: "display:block;flex:3 1 17rem;min-width:0;touch-action:pan-y;cursor:crosshair" });
  const clip = element(element(svg, "clipPath", { id: `${stage.closest(".ix-artefact").id}-frame` }), "rect", { width: SIZE, height: SIZE });
  const inside = element(svg, "g", { "clip-path": `url(#${clip.parentNode.id})` });
  const cells = element(inside, "g"), lines = element(inside, "g"), own = element(inside, "path", { "stroke-width": 4, "stroke-linejoin": "round" });
  const frame = element(svg, "rect", { x: .5, y: .5, width: SIZE - 1, height: SIZE - 1, fill: "none" });
  const handle = element(svg, "circle", { r: 8, tabindex: 0, role: "application", "aria-label": "input; arrow keys move it", style: "cursor:grab" });
  const side = element(row, "div", { style: "flex:2 1 13rem;font-size:.95rem;line-height:1.5" });
  const label = element(side, "label", { style: "display:block;margin-bottom:.6rem" }, "network ");
  const choice = element(label, "select", { style: "font:inherit;max-width:100%" });
  data.networks.forEach((network, i) => element(choice, "option", { value: i }, network.name));
  const words = element(side, "p", { "aria-live": "polite", style: "margin:.2rem 0;font-variant-numeric:tabular-nums;min-height:6.5em" });

  const to = ([a, b]) => [(a + REACH) / (2 * REACH) * SIZE, (REACH - b) / (2 * REACH) * SIZE];
  const path = (points, close) => points.map((p, i) => (i ? "L" : "M") + to(p).map((v) => v.toFixed(1)).join(" ")).join("") + (close ? "Z" : "");
  const value = (network, i, [a, b]) => network.weight[i][0] * a + network.weight[i][1] * b + network.bias[i];

  /* The part of a polygon, or of a line of two points, where a unit is off (Sutherland and Hodgman). */
  function clipped(points, network, unit) {
    const kept = [], count = points.length;
    points.forEach((p, i) => {
      const q = points[(i + 1) % count], [f, g] = [value(network, unit, p), value(network, unit, q)];
      if (f <= 0) kept.push(p);
      if ((f > 0) !== (g > 0)) kept.push([p[0] + f / (f - g) * (q[0] - p[0]), p[1] + f / (f - g) * (q[1] - p[1])]);
    });
    return kept;
  }

  function preimage(network, on) {
    const off = on.flatMap((is, i) => is ? [] : [i]), active = on.flatMap((is, i) => is ? [i] : []);
    if (active.length > 1) return [state.point];
    const far = 40, [x, y] = state.point;
    let points = [[-far, -far], [far, -far], [far, far], [-far, far]];
    if (active.length === 1) {
      const [a, b] = network.weight[active[0]], length = Math.hypot(a, b);
      points = [[x - far * b / length, y + far * a / length], [x + far * b / length, y - far * a / length]];
    }
    return off.reduce((left, unit) => clipped(left, network, unit), points);
  }

  function update() {
    const network = data.networks[state.network], on = network.bias.map((_, i) => value(network, i, state.point) > 0 ? 1 : 0);
    const cell = network.cells.find((each) => each.on.join() === on.join());
    const kind = cell ? cell.kind : "compact", count = on.reduce((a, b) => a + b, 0);
    own.setAttribute("d", path(preimage(network, on), count === 0));
    own.setAttribute("data-flat", count ? 1 : 0);
    const [cx, cy] = to(state.point);
    handle.setAttribute("cx", cx);
    handle.setAttribute("cy", cy);
    const condition = !cell ? "" : cell.condition === 0 ? "0: nothing that is done to the input is seen" : cell.condition.toFixed(1);
    words.textContent = `At (${state.point.map((v) => v.toFixed(2)).join(", ")}) ${count} of ${on.length} units are on. `
      + `The inputs with this output: ${WORDS[kind]}. Condition number ${condition}.`;
    handle.setAttribute("aria-label", words.textContent);
    paint();
  }

  function draw() {
    const network = data.networks[state.network];
    cells.replaceChildren();
    lines.replaceChildren();
    network.cells.forEach((cell) => element(cells, "path", { d: path(cell.outline, true), class: cell.kind }));
    network.cells.forEach((cell) => element(lines, "path", { d: path(cell.outline, true), fill: "none", "stroke-width": 1 }));
    update();
  }

  function paint() {
    const c = theme(), colours = { singleton: c.muted, compact: c.accent, unbounded: c.second };
    for (const each of cells.children) {
      each.setAttribute("fill", colours[each.getAttribute("class")]);
      each.setAttribute("fill-opacity", each.getAttribute("class") === "singleton" ? .12 : .2);
    }
    for (const each of lines.children) each.setAttribute("stroke", c.muted);
    own.setAttribute("stroke", c.ink);
    own.setAttribute("fill", own.getAttribute("data-flat") === "1" ? "none" : c.ink);
    own.setAttribute("fill-opacity", .25);
    frame.setAttribute("stroke", c.grid);
    handle.setAttribute("fill", c.second);
    handle.setAttribute("stroke", c.ground);
    handle.setAttribute("stroke-width", 2);
  }

  function move(point) {
    state.point = point.map((v) => Math.max(-REACH, Math.min(REACH, v)));
    update();
  }

  function follow(event) {
    const seen = svg.getBoundingClientRect();
    move([(event.clientX - seen.left) / seen.width * 2 * REACH - REACH, REACH - (event.clientY - seen.top) / seen.height * 2 * REACH]);
  }

  svg.addEventListener("pointerdown", (event) => {
    handle.focus({ preventScroll: true });
    svg.setPointerCapture(event.pointerId);
    follow(event);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => { if (svg.hasPointerCapture(event.pointerId)) follow(event); });
  handle.addEventListener("touchstart", (event) => event.preventDefault());
  handle.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (!(event.key in steps)) return;
    const size = event.shiftKey ? .2 : .04;
    move(state.point.map((v, i) => v + size * steps[event.key][i]));
    event.preventDefault();
  });
  choice.addEventListener("change", () => { state.network = Number(choice.value); draw(); });
  document.addEventListener("invex:theme", paint);
  draw();
});
