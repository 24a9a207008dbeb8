/* The pointer: turn it around the minimum in latent space, and see where it goes in input space.
   Data: levels, the first shown being `start`; angles in [0, 2 pi), at some of which, `stops`, the pointer can stand,
   first at the stop `opens`;
   radius[level][angle] in latent space; x[level][angle] = [x1, x2]; rays[stop] = corners [radius, x1, x2] of the
   pointer carried back; minimum {z, x}; frames {z, x}, for each level [low1, high1, low2, high2]; square, half its side. */
invex.interactive("rosenbrock.js", (stage, data, theme) => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", SIZE = 340, TURN = 2 * Math.PI;
  const LEFT = 44, RIGHT = 8, TOP = 8, BOTTOM = 44, SPACES = ["z", "x"];
  const state = { stop: data.opens, level: data.start };
  const id = stage.closest(".ix-artefact").id;
  data.z = data.radius.map((radii) => radii.map((radius, i) =>
    [data.minimum.z[0] + radius * Math.cos(data.angles[i]), data.minimum.z[1] + radius * Math.sin(data.angles[i])]));
  const angle = () => data.angles[data.stops[state.stop]];

  function element(parent, name, attributes = {}, text = "") {
    const made = name === "svg" || parent.namespaceURI === SVG
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }

  const row = element(stage, "div", { class: "rosenbrock-panels" });
  row.style.cssText = "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(16rem,100%),1fr));gap:.75rem";

  /* Round numbers, four or so, between two ends. */
  function ticks(low, high) {
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough), digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const found = [];
    for (let t = Math.ceil(low / step) * step; t <= high + 1e-9 * step; t += step) found.push([t, t.toFixed(digits).replace("-", "−").replace(/^−(0\.?0*)$/, "$1")]);
    return found;
  }

  function panel(space, title) {
    const wide = SIZE - LEFT - RIGHT, high = SIZE - TOP - BOTTOM, limits = () => data.frames[space][state.level];
    const box = element(row, "div");
    element(box, "div", { style: "font-size:.9rem" }, title);
    const svg = element(box, "svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, width: "100%", style: "display:block;touch-action:pan-y;cursor:grab" });
    const place = { x: LEFT, y: TOP, width: wide, height: high };
    element(element(svg, "clipPath", { id: `${id}-${space}` }), "rect", place);
    const to = ([a, b]) => {
      const [left, right, bottom, top] = limits();
      return [LEFT + (a - left) / (right - left) * wide, TOP + (top - b) / (top - bottom) * high];
    };
    const from = (x, y) => {
      const [left, right, bottom, top] = limits();
      return [left + (x - LEFT) / wide * (right - left), top - (y - TOP) / high * (top - bottom)];
    };
    const axes = element(svg, "g", { "font-size": 12, "aria-hidden": "true" }), numbers = element(axes, "g");
    const scale = () => {
      const [left, right, bottom, top] = limits();
      numbers.replaceChildren();
      for (const [t, text] of ticks(left, right)) element(numbers, "text", { x: to([t, 0])[0], y: SIZE - BOTTOM + 15, "text-anchor": "middle" }, text);
      for (const [t, text] of ticks(bottom, top)) element(numbers, "text", { x: LEFT - 5, y: to([0, t])[1] + 4, "text-anchor": "end" }, text);
    };
    const name = (attributes, number) => {
      const made = element(axes, "text", { "text-anchor": "middle", "font-style": "italic", ...attributes }, space);
      element(made, "tspan", { dy: 3, "font-size": 9, "font-style": "normal" }, number);
    };
    name({ x: LEFT + wide / 2, y: SIZE - 5 }, "1");
    name({ x: 8, y: TOP + high / 2 }, "2");
    const frame = element(svg, "rect", { ...place, fill: "none" });
    const inside = element(svg, "g", { "clip-path": `url(#${id}-${space})`, fill: "none", "stroke-linejoin": "round" });
    return { svg, inside, frame, axes, scale, to, from, space };
  }

  const panels = [panel("z", "after the bijection, z = h(x)"), panel("x", "input space")];
  const line = (points, to, close) => points.map((p, i) => (i ? "L" : "M") + to(p).map((v) => v.toFixed(2)).join(" ")).join("") + (close ? "Z" : "");

  for (const each of panels) {
    each.others = data.levels.map(() => element(each.inside, "path", { "stroke-width": 1 }));
    each.curve = element(each.inside, "path", { "stroke-width": 2.4 });
    each.straight = element(each.inside, "path", { "stroke-width": 1.2, "stroke-dasharray": "4 4" });
    each.ray = element(each.inside, "path", { "stroke-width": 2 });
    each.centre = element(each.inside, "circle", { r: 4.5 });
    each.crossings = element(each.inside, "g");
    each.handle = element(each.svg, "circle", {
      r: each.space === "z" ? 9 : 6.5, tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": 359,
      "aria-label": each.space === "z" ? "angle of the pointer" : "angle of the pointer, moved in input space",
    });
  }
  const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([a, b]) => [a * data.square, b * data.square]);
  const box = element(panels[1].inside, "path", { "stroke-width": 1, "stroke-dasharray": "4 3" });

  const controls = element(stage, "div", { style: "display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;align-items:center;font-size:.9rem;margin-top:.4rem" });
  const label = element(controls, "label", { style: "display:inline-flex;gap:.5rem;align-items:center" });
  element(label, "span", {}, "level α");
  const slider = element(label, "input", { type: "range", min: 0, max: data.levels.length - 1, step: 1, value: state.level });
  const shown = element(label, "span", { style: "font-variant-numeric:tabular-nums;min-width:2.6rem" });
  const words = element(controls, "span", { "aria-live": "polite", style: "font-variant-numeric:tabular-nums" });

  function visible(space, [a, b]) {
    const [left, right, bottom, top] = data.frames[space][state.level];
    return a >= left && a <= right && b >= bottom && b <= top;
  }

  /* Where the straight line from the minimum through a point meets the curve within the frame, in one space. */
  function meet(space, through) {
    const [cx, cy] = data.minimum[space], [dx, dy] = [through[0] - cx, through[1] - cy];
    const curve = data[space][state.level], found = [], side = (x, y) => dx * (y - cy) - dy * (x - cx);
    curve.forEach(([ax, ay], i) => {
      const [bx, by] = curve[(i + 1) % curve.length], [first, second] = [side(ax, ay), side(bx, by)];
      if ((first > 0) === (second > 0)) return;
      const share = first / (first - second), x = ax + share * (bx - ax), y = ay + share * (by - ay);
      if (dx * (x - cx) + dy * (y - cy) > 0 && visible(space, [x, y])) found.push([x, y]);
    });
    return found;
  }

  function far(space, through) {
    const [cx, cy] = data.minimum[space], [left, right, bottom, top] = data.frames[space][state.level];
    const reach = 2 * Math.hypot(right - left, top - bottom) / Math.hypot(through[0] - cx, through[1] - cy);
    return [cx + reach * (through[0] - cx), cy + reach * (through[1] - cy)];
  }

  /* The pointer from the minimum to the level: straight in latent space, carried back in input space. */
  function way(space, point) {
    if (space === "z") return [data.minimum.z, point];
    const end = data.radius[state.level][data.stops[state.stop]];
    return [...data.rays[state.stop].filter(([radius]) => radius < end * (1 - 1e-9)).map(([, a, b]) => [a, b]), point];
  }

  /* What the frame changes, which is that of the level. */
  function rescale() {
    for (const { space, scale, to, others, curve, centre } of panels) {
      scale();
      const [cx, cy] = to(data.minimum[space]);
      centre.setAttribute("cx", cx);
      centre.setAttribute("cy", cy);
      others.forEach((path, level) => {
        path.setAttribute("d", line(data[space][level], to, true));
        path.style.display = level === state.level ? "none" : "";
      });
      curve.setAttribute("d", line(data[space][state.level], to, true));
    }
    box.setAttribute("d", line(corners, panels[1].to, true));
    update();
  }

  function update() {
    const degrees = Math.round(angle() / TURN * 360) % 360, counts = {};
    for (const { space, to, ray, straight, crossings, handle } of panels) {
      const point = data[space][state.level][data.stops[state.stop]];
      ray.setAttribute("d", line(way(space, point), to, false));
      straight.setAttribute("d", line([data.minimum[space], far(space, point)], to, false));
      const met = meet(space, point);
      counts[space] = met.length;
      crossings.replaceChildren();
      met.forEach((p) => {
        const [cx, cy] = to(p);
        element(crossings, "circle", { cx, cy, r: 3.5 });
      });
      const [cx, cy] = to(point);
      handle.setAttribute("cx", cx);
      handle.setAttribute("cy", cy);
      handle.style.display = visible(space, point) ? "" : "none";
    }
    shown.textContent = data.levels[state.level].toFixed(2);
    slider.setAttribute("aria-valuetext", `level ${shown.textContent}`);
    const times = (n) => n === 0 ? "nowhere in view" : n === 1 ? "once" : n === 2 ? "twice" : `${n} times`;
    const text = `${degrees}°: a straight pointer meets the curve ${times(counts.z)} here, ${times(counts.x)} in input space`;
    words.textContent = text;
    for (const { handle } of panels) {
      handle.setAttribute("aria-valuenow", degrees);
      handle.setAttribute("aria-valuetext", text);
    }
  }

  function paint() {
    const c = theme();
    for (const each of panels) {
      each.frame.setAttribute("stroke", c.grid);
      each.axes.setAttribute("fill", c.muted);
      each.others.forEach((path) => path.setAttribute("stroke", c.grid));
      each.curve.setAttribute("stroke", c.ink);
      each.straight.setAttribute("stroke", c.muted);
      each.ray.setAttribute("stroke", c.second);
      each.centre.setAttribute("fill", c.accent);
      each.crossings.setAttribute("fill", c.muted);
      each.handle.setAttribute("fill", c.second);
      each.handle.setAttribute("stroke", c.ground);
      each.handle.setAttribute("stroke-width", 2);
    }
    box.setAttribute("stroke", c.muted);
  }

  const closest = (distance) => data.stops.reduce((best, i, stop) => distance(i) < distance(data.stops[best]) ? stop : best, 0);
  const around = (wanted) => closest((i) => Math.abs(Math.atan2(Math.sin(data.angles[i] - wanted), Math.cos(data.angles[i] - wanted))));

  function turn({ svg, from, to, space }, event) {
    const seen = svg.getBoundingClientRect();
    const at = [(event.clientX - seen.left) / seen.width * SIZE, (event.clientY - seen.top) / seen.height * SIZE];
    if (space === "z") {
      const [a, b] = from(...at);
      state.stop = around(Math.atan2(b - data.minimum.z[1], a - data.minimum.z[0]));
    } else {
      state.stop = closest((i) => Math.hypot(...to(data.x[state.level][i]).map((v, axis) => v - at[axis])));
    }
    update();
  }

  for (const each of panels) {
    each.svg.addEventListener("pointerdown", (event) => {
      each.handle.focus({ preventScroll: true });
      each.svg.setPointerCapture(event.pointerId);
      turn(each, event);
      event.preventDefault();
    });
    each.svg.addEventListener("pointermove", (event) => { if (each.svg.hasPointerCapture(event.pointerId)) turn(each, event); });
    each.handle.addEventListener("touchstart", (event) => event.preventDefault()); /* or the page scrolls: touch-action does not hold for a shape */
    each.handle.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1, PageUp: 20, PageDown: -20, Home: -state.stop };
      if (!(event.key in steps)) return;
      state.stop = (state.stop + steps[event.key] + data.stops.length) % data.stops.length;
      update();
      event.preventDefault();
    });
  }
  slider.addEventListener("input", () => { state.level = Number(slider.value); rescale(); });
  document.addEventListener("invex:theme", paint);
    paint();
  rescale();
});
