/* The pointer of Figure 2: turn it around the minimum in latent space, and see where it goes in input space.
   Data: levels, of which every `every`-th can be chosen; angles in [0, 2 pi); radius[level][angle] in latent space;
   x[level][angle] = [x1, x2]; minimum {z, x}; frames {z, x} as [low1, high1, low2, high2]; square, half its side. */
invex.interactive("rosenbrock.js", (stage, data, theme) => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", SIZE = 340, TURN = 2 * Math.PI;
  const count = data.angles.length;
  const chosen = data.levels.map((_, i) => i).filter((i) => (i + 1) % data.every === 0);
  const state = { angle: 0.6, level: chosen[Math.min(5, chosen.length - 1)] };
  const id = stage.closest(".ix-artefact").id;
  const around = (radius, angle) => [data.minimum.z[0] + radius * Math.cos(angle), data.minimum.z[1] + radius * Math.sin(angle)];
  data.z = data.radius.map((radii) => radii.map((radius, i) => around(radius, data.angles[i])));

  const [left, right, bottom, top] = data.frames.x;
  const inView = data.x[state.level].findIndex(([a, b]) => a > left && a < right && b > bottom && b < top);
  if (inView >= 0) state.angle = data.angles[inView];

  function element(parent, name, attributes = {}, text = "") {
    const made = name === "svg" || parent.namespaceURI === SVG
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }

  const row = element(stage, "div", { class: "rosenbrock-panels" });
  row.style.cssText = "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(16rem,100%),1fr));gap:.75rem";

  function panel(space, title) {
    const [left, right, bottom, top] = data.frames[space];
    const box = element(row, "div");
    element(box, "div", { style: "font-size:.9rem" }, title);
    const svg = element(box, "svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, width: "100%", style: "display:block;touch-action:pan-y" });
    const clip = element(element(svg, "clipPath", { id: `${id}-${space}` }), "rect", { width: SIZE, height: SIZE });
    clip.setAttribute("rx", 6);
    const frame = element(svg, "rect", { x: .5, y: .5, width: SIZE - 1, height: SIZE - 1, rx: 6, fill: "none", class: "grid" });
    const inside = element(svg, "g", { "clip-path": `url(#${id}-${space})`, fill: "none", "stroke-linejoin": "round" });
    const to = ([a, b]) => [(a - left) / (right - left) * SIZE, SIZE - (b - bottom) / (top - bottom) * SIZE];
    const from = (x, y) => [left + x / SIZE * (right - left), bottom + (SIZE - y) / SIZE * (top - bottom)];
    return { svg, inside, frame, to, from, space };
  }

  const latent = panel("z", "after the bijection: drag the pointer");
  const input = panel("x", "input space");
  const line = (points, to, close) => points.map((p, i) => (i ? "L" : "M") + to(p).map((v) => v.toFixed(2)).join(" ")).join("") + (close ? "Z" : "");

  for (const each of [latent, input]) {
    const values = data[each.space];
    each.others = chosen.map((level) => element(each.inside, "path", { d: line(values[level], each.to, true), "stroke-width": 1 }));
    each.curve = element(each.inside, "path", { "stroke-width": 2.4 });
    each.straight = element(each.inside, "path", { "stroke-width": 1.2, "stroke-dasharray": "4 4" });
    each.ray = element(each.inside, "path", { "stroke-width": 2 });
    const [cx, cy] = each.to(data.minimum[each.space]);
    each.centre = element(each.inside, "circle", { cx, cy, r: 4.5 });
    each.crossings = element(each.inside, "g");
  }
  const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([a, b]) => [a * data.square, b * data.square]);
  const box = element(input.inside, "path", { d: line(corners, input.to, true), "stroke-width": 1, "stroke-dasharray": "4 3" });
  const tip = element(input.inside, "circle", { r: 7 });
  const handle = element(latent.svg, "circle", {
    r: 10, tabindex: 0, role: "slider", "aria-label": "angle of the pointer", "aria-valuemin": 0, "aria-valuemax": 359,
    style: "cursor:grab",
  });

  const controls = element(stage, "div", { style: "display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;align-items:center;font-size:.9rem;margin-top:.4rem" });
  const label = element(controls, "label", { style: "display:inline-flex;gap:.5rem;align-items:center" });
  element(label, "span", {}, "level α");
  const slider = element(label, "input", { type: "range", min: 0, max: chosen.length - 1, step: 1, value: chosen.indexOf(state.level) });
  const shown = element(label, "span", { style: "font-variant-numeric:tabular-nums;min-width:2.6rem" });
  const words = element(controls, "span", { "aria-live": "polite", style: "font-variant-numeric:tabular-nums" });

  /* The point of curve `level` at the current angle: between the two nearest of the angles computed. */
  function at(space, level) {
    const after = data.angles.findIndex((angle) => angle > state.angle), next = after < 0 ? 0 : after, before = (next + count - 1) % count;
    const gap = (data.angles[next] - data.angles[before] + TURN) % TURN || TURN;
    const share = ((state.angle - data.angles[before] + TURN) % TURN) / gap;
    const [a, b] = [data[space][level][before], data[space][level][next]];
    return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
  }

  /* Where the straight line from the minimum through the point meets the curve, in one space. */
  function meet(space, through) {
    const [cx, cy] = data.minimum[space], [dx, dy] = [through[0] - cx, through[1] - cy];
    const curve = data[space][state.level], found = [];
    curve.forEach(([ax, ay], i) => {
      const [bx, by] = curve[(i + 1) % count];
      const side = (x, y) => dx * (y - cy) - dy * (x - cx);
      const [first, second] = [side(ax, ay), side(bx, by)];
      if ((first > 0) === (second > 0)) return;
      const share = first / (first - second), x = ax + share * (bx - ax), y = ay + share * (by - ay);
      if (dx * (x - cx) + dy * (y - cy) > 0) found.push([x, y]);
    });
    return found;
  }

  function far(panel, through) {
    const [cx, cy] = data.minimum[panel.space];
    const [left, right, bottom, top] = data.frames[panel.space];
    const reach = 2 * Math.hypot(right - left, top - bottom) / Math.hypot(through[0] - cx, through[1] - cy);
    return [cx + reach * (through[0] - cx), cy + reach * (through[1] - cy)];
  }

  function update() {
    const degrees = Math.round(state.angle / TURN * 360) % 360, counts = {};
    for (const each of [latent, input]) {
      const { space, to } = each, point = at(space, state.level);
      each.others.forEach((path, i) => { path.style.display = chosen[i] === state.level ? "none" : ""; });
      each.curve.setAttribute("d", line(data[space][state.level], to, true));
      const way = [data.minimum[space], ...Array.from({ length: state.level + 1 }, (_, i) => at(space, i))];
      each.ray.setAttribute("d", line(way, to, false));
      each.straight.setAttribute("d", line([data.minimum[space], far(each, point)], to, false));
      const met = meet(space, point);
      counts[space] = met.length;
      each.crossings.replaceChildren();
      met.forEach((p) => {
        const [cx, cy] = to(p);
        element(each.crossings, "circle", { cx, cy, r: 3.5 });
      });
      const [cx, cy] = to(point), moved = space === "z" ? handle : tip;
      moved.setAttribute("cx", cx);
      moved.setAttribute("cy", cy);
    }
    shown.textContent = data.levels[state.level].toFixed(2);
    slider.setAttribute("aria-valuetext", `level ${shown.textContent}`);
    const times = (n) => n === 1 ? "once" : n === 2 ? "twice" : `${n} times`;
    const text = `${degrees}°: a straight pointer meets the curve ${times(counts.z)} here, ${times(counts.x)} in input space`;
    words.textContent = text;
    handle.setAttribute("aria-valuenow", degrees);
    handle.setAttribute("aria-valuetext", text);
  }

  function paint() {
    const c = theme();
    for (const each of [latent, input]) {
      each.frame.setAttribute("stroke", c.grid);
      each.others.forEach((path) => path.setAttribute("stroke", c.grid));
      each.curve.setAttribute("stroke", c.ink);
      each.straight.setAttribute("stroke", c.muted);
      each.ray.setAttribute("stroke", c.second);
      each.centre.setAttribute("fill", c.accent);
      each.crossings.setAttribute("fill", c.muted);
    }
    box.setAttribute("stroke", c.muted);
    for (const dot of [tip, handle]) {
      dot.setAttribute("fill", c.second);
      dot.setAttribute("stroke", c.ground);
      dot.setAttribute("stroke-width", 2);
    }
  }

  function turn(event) {
    const seen = latent.svg.getBoundingClientRect();
    const point = latent.from((event.clientX - seen.left) / seen.width * SIZE, (event.clientY - seen.top) / seen.height * SIZE);
    const [cx, cy] = data.minimum.z;
    state.angle = (Math.atan2(point[1] - cy, point[0] - cx) + TURN) % TURN;
    update();
  }

  latent.svg.addEventListener("pointerdown", (event) => {
    handle.focus({ preventScroll: true });
    latent.svg.setPointerCapture(event.pointerId);
    turn(event);
    event.preventDefault();
  });
  handle.addEventListener("touchstart", (event) => event.preventDefault()); /* or the page scrolls: touch-action does not hold for a shape */
  latent.svg.addEventListener("pointermove", (event) => { if (latent.svg.hasPointerCapture(event.pointerId)) turn(event); });
  handle.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: 3, ArrowUp: 3, ArrowRight: -3, ArrowDown: -3, PageUp: 30, PageDown: -30, Home: -state.angle / TURN * 360 };
    if (!(event.key in steps)) return;
    state.angle = (state.angle + steps[event.key] / 360 * TURN + TURN) % TURN;
    update();
    event.preventDefault();
  });
  slider.addEventListener("input", () => { state.level = chosen[Number(slider.value)]; update(); });
  document.addEventListener("invex:theme", paint);
  paint();
  update();
});
