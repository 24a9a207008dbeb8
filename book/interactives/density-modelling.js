/* Terms of the series and the Lipschitz constant -> bias, deviation, bound; and the error of the inverse after as
   many iterations. Data: constants, terms, and bias, deviation, bound, inverse as [constant][term]. */
invex.interactive("density-modelling.js", (stage, data, theme) => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", W = 520, H = 290, LEFT = 52, RIGHT = 84, TOP = 12, BOTTOM = 40, LOW = -9, HIGH = 1;
  const last = data.terms.length;
  const state = { constant: Math.max(0, data.constants.indexOf(0.9)), term: Math.min(10, last) - 1 };

  function element(parent, name, attributes = {}, text = "") {
    const made = name === "svg" || parent.namespaceURI === SVG
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }

  const svg = element(stage, "svg", { viewBox: `0 0 ${W} ${H}`, width: "100%", style: "display:block;touch-action:pan-y;max-width:44rem", "font-size": 13 });
  const x = (place) => LEFT + place / (last - 1) * (W - LEFT - RIGHT);
  const y = (value) => TOP + (HIGH - Math.min(Math.max(Math.log10(Math.max(value, 1e-300)), LOW), HIGH)) / (HIGH - LOW) * (H - TOP - BOTTOM);
  const raised = (power) => [...String(power)].map((d) => d === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("");
  const grid = [];
  for (let power = LOW + 1; power <= HIGH; power += 2) {
    grid.push(element(svg, "line", { x1: LEFT, x2: W - RIGHT, y1: y(10 ** power), y2: y(10 ** power), "stroke-width": 1 }));
    element(svg, "text", { x: LEFT - 6, y: y(10 ** power) + 4, "text-anchor": "end", class: "axis" }, `10${raised(power)}`);
  }
  for (const n of [1, 5, 10, 15, 20, 25, 30]) if (n <= last) element(svg, "text", { x: x(n - 1), y: H - BOTTOM + 17, "text-anchor": "middle", class: "axis" }, String(n));
  element(svg, "text", { x: (LEFT + W - RIGHT) / 2, y: H - 6, "text-anchor": "middle", class: "axis" }, "terms of the series; iterations of the inverse");
  const names = { bound: "bound", deviation: "deviation", bias: "|bias|", inverse: "inverse" };
  const lines = {};
  for (const name of Object.keys(names)) lines[name] = {
    path: element(svg, "path", { fill: "none", "stroke-width": name === "bound" || name === "inverse" ? 1.6 : 2.4, "stroke-dasharray": name === "bound" ? "5 4" : name === "inverse" ? "1.5 3" : "none", "stroke-linecap": "round" }),
    dot: element(svg, "circle", { r: 4 }), text: element(svg, "text", { x: W - RIGHT + 6 }, names[name]),
  };
  const cursor = element(svg, "line", { y1: TOP, y2: H - BOTTOM, "stroke-width": 1.2 });
  const handle = element(svg, "circle", { r: 8, cy: H - BOTTOM, tabindex: 0, role: "slider", "aria-label": "terms", "aria-valuemin": 1, "aria-valuemax": last, style: "cursor:ew-resize" });

  const controls = element(stage, "div", { style: "display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;align-items:center;font-size:.9rem;margin-top:.3rem" });
  const label = element(controls, "label", { style: "display:inline-flex;gap:.5rem;align-items:center" });
  element(label, "span", {}, "Lipschitz constant L");
  const slider = element(label, "input", { type: "range", min: 0, max: data.constants.length - 1, step: 1, value: state.constant });
  const shown = element(label, "span", { style: "font-variant-numeric:tabular-nums;min-width:2.4rem" });
  const words = element(stage, "div", { "aria-live": "polite", style: "font-size:.9rem;min-height:2.8rem;font-variant-numeric:tabular-nums" });

  function number(value) {
    if (value >= 1e-3) return value.toPrecision(2).replace(/e.*/, "");
    const power = Math.floor(Math.log10(value));
    return value < 1e-12 ? "below 10⁻¹²" : `${Math.round(value / 10 ** power)} × 10${raised(power)}`;
  }

  function update() {
    const ends = [];
    for (const name of Object.keys(names)) {
      const values = data[name][state.constant];
      lines[name].path.setAttribute("d", values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join(""));
      lines[name].dot.setAttribute("cx", x(state.term));
      lines[name].dot.setAttribute("cy", y(values[state.term]));
      ends.push([name, y(values[last - 1])]);
    }
    ends.sort((a, b) => a[1] - b[1]);
    ends.forEach((end, i) => { if (i && end[1] < ends[i - 1][1] + 14) end[1] = ends[i - 1][1] + 14; });
    const over = Math.max(0, ends[ends.length - 1][1] - (H - BOTTOM));
    ends.forEach(([name, at]) => lines[name].text.setAttribute("y", at - over + 4));
    for (const key of ["x1", "x2"]) cursor.setAttribute(key, x(state.term));
    handle.setAttribute("cx", x(state.term));
    shown.textContent = data.constants[state.constant].toFixed(2);
    const at = (name) => data[name][state.constant][state.term], n = data.terms[state.term];
    const text = `${n} ${n === 1 ? "term" : "terms"}: bias ${number(at("bias"))} bits per dimension, allowed ${number(at("bound"))}; one probe deviates by ${number(at("deviation"))}. The inverse after ${n} ${n === 1 ? "iteration" : "iterations"} is off by ${number(at("inverse"))}.`;
    words.textContent = text;
    handle.setAttribute("aria-valuenow", n);
    handle.setAttribute("aria-valuetext", text);
    slider.setAttribute("aria-valuetext", `L = ${shown.textContent}`);
  }

  function paint() {
    const c = theme();
    const colours = { bound: c.muted, deviation: c.second, bias: c.accent, inverse: c.ink };
    for (const [name, { path, dot, text }] of Object.entries(lines)) {
      path.setAttribute("stroke", colours[name]);
      dot.setAttribute("fill", colours[name]);
      text.setAttribute("fill", colours[name]);
    }
    for (const line of grid) line.setAttribute("stroke", c.grid);
    for (const text of svg.querySelectorAll("text.axis")) text.setAttribute("fill", c.muted);
    cursor.setAttribute("stroke", c.muted);
    handle.setAttribute("fill", c.ground);
    handle.setAttribute("stroke", c.ink);
    handle.setAttribute("stroke-width", 2);
  }

  function move(event) {
    const seen = svg.getBoundingClientRect();
    const at = ((event.clientX - seen.left) / seen.width * W - LEFT) / (W - LEFT - RIGHT) * (last - 1);
    state.term = Math.min(last - 1, Math.max(0, Math.round(at)));
    update();
  }

  svg.addEventListener("pointerdown", (event) => { handle.focus({ preventScroll: true }); svg.setPointerCapture(event.pointerId); move(event); event.preventDefault(); });
  handle.addEventListener("touchstart", (event) => event.preventDefault());
  svg.addEventListener("pointermove", (event) => { if (svg.hasPointerCapture(event.pointerId)) move(event); });
  handle.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 5, PageDown: -5, Home: -last, End: last };
    if (!(event.key in steps)) return;
    state.term = Math.min(last - 1, Math.max(0, state.term + steps[event.key]));
    update();
    event.preventDefault();
  });
  slider.addEventListener("input", () => { state.constant = Number(slider.value); update(); });
  document.addEventListener("invex:theme", paint);
  paint();
  update();
});
