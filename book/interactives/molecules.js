/* Along a path of molecules: the structure in space, its formula, its property and the level, in step.
   Data: level, unit, quantity; molecules [{smiles, again, known, second, xyz, lines [[x1, y1, x2, y2]], letters [[text, x, y]]}];
   ways [{name, at [index of the molecule, or -1], value}] of one length. 3Dmol comes from static_vendor when the reader looks. */
(() => {
  "use strict";
  const here = document.currentScript.src;
  const vendor = new URL("../static_vendor/3dmol/3Dmol-min.js", here).href;
  let loading = null;

  /* 3Dmol once for the page; resolves to null where it cannot run. */
  function viewerLibrary() {
    loading ||= new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = vendor;
      script.onload = () => resolve(window.$3Dmol || null);
      script.onerror = () => resolve(null);
      document.head.appendChild(script);
    });
    return loading;
  }

  invex.interactive("molecules.js", (stage, data, theme) => {
    const SVG = "http://www.w3.org/2000/svg", W = 640, H = 190, LEFT = 46, RIGHT = 8, TOP = 12, BOTTOM = 20;
    const steps = data.ways[0].at.length;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const state = { way: 0, step: data.start || 0 };

    function element(parent, name, attributes = {}, text = "") {
      const made = name === "svg" || parent.namespaceURI === SVG
        ? document.createElementNS(SVG, name) : document.createElement(name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      if (text) made.textContent = text;
      return parent.appendChild(made);
    }

    const top = element(stage, "div", { style: "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(15rem,100%),1fr));gap:.75rem" });
    const space = element(top, "div", { role: "img", style: "position:relative;height:15rem;border-radius:6px;overflow:hidden" });
    const hint = element(space, "div", { style: "position:absolute;left:.5rem;bottom:.3rem;font-size:.8rem;z-index:2;pointer-events:none" });
    const right = element(top, "div", { style: "display:flex;flex-direction:column;height:15rem" });
    const paper = element(right, "svg", { viewBox: "-3.4 -1.9 6.8 3.8", role: "img", style: "display:block;width:100%;flex:1;min-height:0" });
    const facts = element(right, "div", { "aria-live": "polite", style: "font-size:.9rem;line-height:1.45;height:5.9rem;font-variant-numeric:tabular-nums" });

    const plot = element(stage, "svg", { viewBox: `0 0 ${W} ${H}`, width: "100%", style: "display:block;touch-action:pan-y;cursor:ew-resize;margin-top:.3rem", "aria-hidden": "true" });
    const values = [data.level, ...data.ways.flatMap((way) => way.value), ...data.molecules.map((m) => m.again), ...data.molecules.map((m) => m.true).filter((v) => v !== null)];
    const low = Math.min(...values), high = Math.max(...values), room = .08 * (high - low || 1);
    const x = (step) => LEFT + step / (steps - 1) * (W - LEFT - RIGHT);
    const y = (value) => TOP + (high + room - value) / (high - low + 2 * room) * (H - TOP - BOTTOM);
    const line = (numbers) => numbers.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    const axis = element(plot, "g", { "font-size": 12 });
    for (const value of ticks(low, high)) {
      element(axis, "line", { x1: LEFT, x2: W - RIGHT, y1: y(value), y2: y(value), "stroke-width": .8 });
      element(axis, "text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(value));
    }
    const unit = element(plot, "text", { x: 2, y: H - 4, "font-size": 12 }, `${data.quantity}, ${data.unit}`);
    const paths = data.ways.map((way) => element(plot, "path", { d: line(way.value), fill: "none", "stroke-width": 2.2, "stroke-linejoin": "round" }));
    const bars = element(plot, "g"), dots = element(plot, "g");
    const marker = element(plot, "line", { y1: TOP - 6, y2: H - BOTTOM, "stroke-width": 1.2 });
    const bead = element(plot, "circle", { r: 6, "stroke-width": 2 });

    const controls = element(stage, "div", { style: "display:flex;flex-wrap:wrap;gap:.4rem 1.2rem;align-items:center;font-size:.9rem;margin-top:.2rem" });
    const label = element(controls, "label", { style: "display:flex;gap:.6rem;align-items:center;flex:1 1 16rem" });
    element(label, "span", {}, "along the path");
    const slider = element(label, "input", { type: "range", min: 0, max: steps - 1, step: 1, value: state.step, style: "flex:1" });
    const choice = element(controls, "fieldset", { style: "border:0;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem .9rem" });
    element(choice, "legend", { style: "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)" }, "way between the two molecules");
    data.ways.forEach((way, i) => {
      const item = element(choice, "label", { style: "display:inline-flex;gap:.35rem;align-items:center" });
      const radio = element(item, "input", { type: "radio", name: `${stage.closest(".ix-artefact").id}-way`, value: i });
      radio.checked = i === state.way;
      element(item, "span", {}, way.name);
      radio.addEventListener("change", () => { state.way = i; lay(); update(); });
    });

    const strip = element(stage, "div", { role: "group", "aria-label": "molecules of this way", style: "display:grid;grid-template-columns:repeat(auto-fill,minmax(6.2rem,1fr));gap:.4rem;margin-top:.7rem" });
    let cards = [];

    function ticks(from, to) {
      const size = [1, 2, 5, 10, 20, 50, 100].find((s) => (to - from) / s <= 5) || 200;
      const first = Math.ceil(from / size), last = Math.floor(to / size);
      return Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => (first + i) * size);
    }

    let viewer = null, drawn = null, rest = 0;
    function spin() { /* a while for each molecule: without an end it would keep a processor busy */
      if (still) return;
      viewer.spin("y", .5);
      clearTimeout(rest);
      rest = setTimeout(() => viewer.spin(false), 4000);
    }
    const isolate = (event) => event.stopPropagation(); /* the wheel and a finger scroll the page, the mouse turns the molecule */
    for (const name of ["wheel", "mousewheel", "DOMMouseScroll", "touchstart", "touchmove"]) space.addEventListener(name, isolate, { capture: true, passive: true });

    async function turn() {
      const library = await viewerLibrary();
      try {
        if (!library) throw new Error("3Dmol did not load");
        const box = element(space, "div", { style: "position:absolute;inset:0" });
        viewer = library.createViewer(box, { backgroundAlpha: 0, antialias: true, disableFog: true });
        viewer.setBackgroundColor(0xffffff, 0);
        window.addEventListener("resize", () => viewer.resize());
      } catch (error) {
        viewer = null;
        hint.textContent = "no view in space: this browser has no WebGL";
      }
      drawn = null;
      update();
    }

    function inSpace(molecule) {
      const name = molecule ? molecule.smiles : "none";
      space.setAttribute("aria-label", molecule ? `${molecule.smiles} in space, ${molecule.xyz ? "drawn" : "no structure found"}` : "no molecule here");
      if (!viewer || drawn === name) return;
      drawn = name;
      viewer.removeAllModels();
      hint.textContent = molecule ? (molecule.xyz ? "drag to turn" : "no structure in space was found") : "";
      if (molecule && molecule.xyz) {
        const carbon = theme().dark ? 0xc9d0d7 : 0x3a4048, oxygen = theme().dark ? 0xee743c : 0xb8460d;
        viewer.addModel(molecule.xyz, "xyz");
        const style = (colour, scale) => ({ stick: { radius: .11, color: colour }, sphere: { scale, color: colour } });
        viewer.setStyle({}, style(carbon, .25));
        viewer.setStyle({ elem: "H" }, style(theme().dark ? 0x9ca4af : 0xb9c0c8, .2));
        viewer.setStyle({ elem: "O" }, style(oxygen, .27));
        viewer.setStyle({ elem: "N" }, style(theme().dark ? 0x4398f5 : 0x0a6aac, .27));
        viewer.zoomTo();
        viewer.zoom(.95);
        spin();
      }
      viewer.render();
    }

    function onPaper(molecule) {
      paper.replaceChildren();
      paper.setAttribute("aria-label", molecule ? `structural formula of ${molecule.smiles}` : "no molecule");
      if (molecule) formula(paper, molecule);
    }

    function formula(paper, molecule) {
      const c = theme();
      const points = [...molecule.lines.flatMap(([a, b, d, e]) => [[a, b], [d, e]]), ...molecule.letters.map(([, a, b]) => [a, b])];
      const wide = Math.max(...points.map(([a]) => Math.abs(a))) + .5, tall = Math.max(...points.map(([, b]) => Math.abs(b))) + .5;
      const scale = Math.min(3.3 / wide, 1.8 / tall, 1.05);
      for (const [a, b, d, e] of molecule.lines) element(paper, "line", { x1: scale * a, y1: -scale * b, x2: scale * d, y2: -scale * e, stroke: c.ink, "stroke-width": .06, "stroke-linecap": "round" });
      for (const [text, a, b] of molecule.letters) {
        const letter = element(paper, "text", { x: scale * a, y: -scale * b + .14, "text-anchor": "middle", "font-size": .42, fill: text[0] === "O" ? c.second : c.accent });
        letter.textContent = text.replace(/2/, "₂").replace(/3/, "₃");
      }
    }

    /* The molecules of the chosen way in their order, each a button that goes to the middle of its stretch. */
    function lay() {
      strip.replaceChildren();
      const at = data.ways[state.way].at;
      cards = [...new Set(at.filter((index) => index >= 0))].map((index, i) => {
        const m = data.molecules[index], places = at.map((k, step) => (k === index ? step : -1)).filter((step) => step >= 0);
        const card = element(strip, "button", { type: "button", "aria-label": `molecule ${i + 1}: ${m.smiles}, predicted ${data.quantity} ${m.again.toFixed(0)} ${data.unit}, ${m.second}` });
        card.style.cssText = "padding:.15rem .2rem .25rem;border-radius:6px;background:none;cursor:pointer;font:inherit;font-size:.78rem;line-height:1.2;font-variant-numeric:tabular-nums";
        const picture = element(card, "svg", { viewBox: "-3.4 -1.9 6.8 3.8", "aria-hidden": "true", style: "display:block;width:100%;height:3.6rem" });
        formula(picture, m);
        element(card, "span", {}, `${i + 1}: ${m.again.toFixed(0)}${m.true === null ? "" : ` (true ${m.true.toFixed(0)})`}`);
        card.addEventListener("click", () => { state.step = places[places.length >> 1]; update(); });
        return { card, index };
      });
    }

    function update() {
      const way = data.ways[state.way], molecule = data.molecules[way.at[state.step]] || null, c = theme();
      inSpace(molecule);
      onPaper(molecule);
      facts.replaceChildren();
      const at = `f = ${way.value[state.step].toFixed(1)} ${data.unit} at this point (the level is ${data.level.toFixed(1)})`;
      if (molecule) {
        element(facts, "div", { style: "font-family:monospace;overflow-wrap:anywhere" }, molecule.smiles);
        element(facts, "div", {}, `predicted ${data.quantity} ${molecule.again.toFixed(1)}; ${molecule.second}`);
      } else {
        element(facts, "div", {}, "the graph decoded here is no molecule");
      }
      element(facts, "div", {}, at);
      marker.setAttribute("x1", x(state.step));
      marker.setAttribute("x2", x(state.step));
      bead.setAttribute("cx", x(state.step));
      bead.setAttribute("cy", y(way.value[state.step]));
      bars.replaceChildren();
      dots.replaceChildren();
      const half = .52 * (W - LEFT - RIGHT) / (steps - 1);
      const seen = new Map();
      way.at.forEach((index, step) => {
        if (index < 0) return;
        const m = data.molecules[index], on = m === molecule;
        element(bars, "line", { x1: x(step) - half, x2: x(step) + half, y1: y(m.again), y2: y(m.again), stroke: on ? c.ink : c.muted, "stroke-width": on ? 4 : 2.5 });
        seen.set(index, [...(seen.get(index) || []), step]);
      });
      for (const [index, places] of seen) {
        const m = data.molecules[index];
        if (m.true !== null) element(dots, "rect", { x: -4, y: -4, width: 8, height: 8, fill: c.dark ? "#d9b23c" : "#836000", transform: `translate(${x(places[places.length >> 1])} ${y(m.true)}) rotate(45)` });
      }
      paths.forEach((path, i) => {
        path.setAttribute("stroke", i ? c.second : c.accent);
        path.setAttribute("stroke-opacity", i === state.way ? 1 : .35);
      });
      bead.setAttribute("fill", state.way ? c.second : c.accent);
      for (const { card, index } of cards) {
        const on = data.molecules[index] === molecule;
        card.style.border = `2px solid ${on ? (state.way ? c.second : c.accent) : c.grid}`;
        card.style.color = on ? c.ink : c.muted;
        card.setAttribute("aria-pressed", on);
      }
      slider.value = state.step;
      slider.setAttribute("aria-valuetext", `step ${state.step + 1} of ${steps}: ${molecule ? molecule.smiles : "no molecule"}`);
    }

    function paint() {
      const c = theme();
      space.style.border = `1px solid ${c.grid}`;
      hint.style.color = c.muted;
      axis.querySelectorAll("line").forEach((l) => l.setAttribute("stroke", c.grid));
      [...axis.querySelectorAll("text"), unit].forEach((t) => t.setAttribute("fill", c.muted));
      marker.setAttribute("stroke", c.muted);
      bead.setAttribute("stroke", c.ground);
      drawn = null;
      fit();
      lay();
      update();
    }

    /* Letters of the plot keep their size on a phone. */
    function fit() {
      const size = Math.min(12 * W / (plot.clientWidth || W), 20);
      axis.setAttribute("font-size", size);
      unit.setAttribute("font-size", size);
    }
    window.addEventListener("resize", fit);

    function go(event) {
      const seen = plot.getBoundingClientRect();
      const at = (event.clientX - seen.left) / seen.width * W;
      state.step = Math.max(0, Math.min(steps - 1, Math.round((at - LEFT) / (W - LEFT - RIGHT) * (steps - 1))));
      update();
    }
    plot.addEventListener("pointerdown", (event) => { plot.setPointerCapture(event.pointerId); go(event); });
    plot.addEventListener("pointermove", (event) => { if (plot.hasPointerCapture(event.pointerId)) go(event); });
    slider.addEventListener("input", () => { state.step = Number(slider.value); update(); });
    document.addEventListener("invex:theme", paint);
    paint();
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      turn();
    }, { rootMargin: "300px" });
    watcher.observe(stage);
  });
})();
