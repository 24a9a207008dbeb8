/* Choose c, move the number of iterations: how far the reconstruction of an image is from the original.
   Data: lines [{network, solver, iterations, error}], error in grey levels of 255; visible, the threshold. */
invex.interactive("invertible-resnets.js", (stage, data, theme) => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", WIDE = (stage.closest(".ix-artefact")?.clientWidth || 640) < 500 ? 380 : 640, HIGH = 320, LEFT = 64, RIGHT = 20, TOP = 14, BOTTOM = 44;
  const networks = [...new Set(data.lines.map((line) => line.network))];
  const most = 20, steps = data.lines[0].iterations.filter((k) => k <= most);
  const start = networks.includes("c = 0.9") ? networks.indexOf("c = 0.9") : 0;
  const state = { network: start, step: Math.max(0, steps.indexOf(6)), solver: "fixed-point" };
  const all = data.lines.flatMap((line) => line.error.filter((v, i) => line.iterations[i] <= most && v < 1e4));
  const low = Math.floor(Math.log10(Math.min(...all))), high = Math.ceil(Math.log10(Math.max(...all, 1)));
  const x = (k) => LEFT + (k - 1) / (most - 1) * (WIDE - LEFT - RIGHT);
  const y = (v) => TOP + (high - Math.log10(Math.max(v, 10 ** low))) / (high - low) * (HIGH - TOP - BOTTOM);

  function element(parent, name, attributes = {}, text = "") {
    const made = name === "svg" || parent.namespaceURI === SVG ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }

  const find = (network, solver) => data.lines.find((line) => line.network === networks[network] && line.solver === solver);
  const path = (line) => line.iterations.map((k, i) => [k, line.error[i]]).filter(([k, v]) => k <= most && v < 10 ** (high + 1))
    .map(([k, v], i) => (i ? "L" : "M") + x(k).toFixed(1) + " " + y(v).toFixed(1)).join("");

  const svg = element(stage, "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, width: "100%", role: "img", "aria-label": "error of the reconstruction by iterations", style: "display:block;touch-action:pan-y;cursor:pointer" });
  const texts = [], rules = [];
  for (let power = low; power <= high; power += high - low > 6 ? 2 : 1) {
    rules.push(element(svg, "line", { x1: LEFT, x2: WIDE - RIGHT, y1: y(10 ** power), y2: y(10 ** power) }));
    const tick = element(svg, "text", { x: LEFT - 8, y: y(10 ** power) + 4, "text-anchor": "end", "font-size": 13 }, "10");
    element(tick, "tspan", { dy: -5, "font-size": 10 }, String(power));
    texts.push(tick);
  }
  for (const k of steps.filter((k) => [1, 5, 10, 15, 20].includes(k))) texts.push(element(svg, "text", { x: x(k), y: HIGH - BOTTOM + 18, "text-anchor": "middle", "font-size": 13 }, String(k)));
  texts.push(element(svg, "text", { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 6, "text-anchor": "middle", "font-size": 13 }, "iterations a block"));
  texts.push(element(svg, "text", { x: 14, y: HIGH / 2 - 10, "text-anchor": "middle", "font-size": 13, transform: `rotate(-90 14 ${HIGH / 2 - 10})` }, "error in grey levels"));
  const threshold = element(svg, "line", { x1: LEFT, x2: WIDE - RIGHT, y1: y(data.visible), y2: y(data.visible), "stroke-dasharray": "4 3" });
  texts.push(element(svg, "text", { x: WIDE - RIGHT, y: y(data.visible) - 5, "text-anchor": "end", "font-size": 12 }, "half a grey level"));
  const others = networks.map((_, i) => element(svg, "path", { d: path(find(i, "fixed-point")), fill: "none", "stroke-width": 1.2 }));
  const fast = element(svg, "path", { fill: "none", "stroke-width": 1.8, "stroke-dasharray": "2 4" });
  const curve = element(svg, "path", { fill: "none", "stroke-width": 2.6 });
  const dot = element(svg, "circle", { r: 7 });

  const controls = element(stage, "div", { style: "display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:center;font-size:.9rem;margin-top:.4rem" });
  const pick = element(element(controls, "label", { style: "display:inline-flex;gap:.5rem;align-items:center" }, "network "), "select");
  networks.forEach((name, i) => { const option = element(pick, "option", { value: i }, name); option.selected = i === state.network; });
  const label = element(controls, "label", { style: "display:inline-flex;gap:.5rem;align-items:center" }, "iterations ");
  const slider = element(label, "input", { type: "range", min: 0, max: steps.length - 1, step: 1, value: state.step });
  const words = element(stage, "p", { "aria-live": "polite", style: "font-size:.9rem;margin:.3rem 0 0;font-variant-numeric:tabular-nums;min-height:2.6em" });

  const said = (v) => v >= 1e4 ? "more than 10,000" : v >= 0.1 ? v.toPrecision(2) : v.toFixed(Math.min(6, 1 - Math.floor(Math.log10(v))));
  function update() {
    const plain = find(state.network, "fixed-point"), anderson = find(state.network, "anderson"), k = steps[state.step];
    const at = (line) => line.error[line.iterations.indexOf(k)], value = at(plain);
    curve.setAttribute("d", path(plain));
    if (anderson) fast.setAttribute("d", path(anderson));
    others.forEach((line, i) => { line.style.display = i === state.network ? "none" : ""; });
    dot.setAttribute("cx", x(k));
    dot.setAttribute("cy", y(Math.min(value, 10 ** high)));
    const exact = value < data.visible ? ": the 8-bit image is back" : "";
    words.textContent = `${networks[state.network]}, ${k} iteration${k > 1 ? "s" : ""} a block: a pixel is off by ${said(value)} grey levels${exact}.`
      + (anderson ? ` With Anderson's method (dotted) by ${said(at(anderson))}.` : "");
    slider.setAttribute("aria-valuetext", `${k} iterations`);
    slider.value = state.step;
  }

  function paint() {
    const c = theme();
    texts.forEach((text) => text.setAttribute("fill", c.muted));
    rules.forEach((line) => line.setAttribute("stroke", c.grid));
    threshold.setAttribute("stroke", c.muted);
    others.forEach((line) => line.setAttribute("stroke", c.grid));
    curve.setAttribute("stroke", c.accent);
    fast.setAttribute("stroke", c.second);
    dot.setAttribute("fill", c.accent);
    dot.setAttribute("stroke", c.ground);
    dot.setAttribute("stroke-width", 2);
  }

  function point(event) {
    const box = svg.getBoundingClientRect(), across = (event.clientX - box.left) / box.width * WIDE;
    state.step = steps.reduce((best, k, i) => Math.abs(x(k) - across) < Math.abs(x(steps[best]) - across) ? i : best, 0);
    update();
  }
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
  slider.addEventListener("input", () => { state.step = Number(slider.value); update(); });
  pick.addEventListener("change", () => { state.network = Number(pick.value); update(); });
  document.addEventListener("invex:theme", paint);
  update();
  paint();
});
