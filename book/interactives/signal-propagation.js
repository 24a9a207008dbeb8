/* Signal propagation, by hand: a method, a correlation, a width and a depth -> histograms and moments by layer. */
(function () {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const MOMENTS = ["mean", "variance", "correlation over networks", "correlation over the data"];

  function element(name, attributes, parent, text) {
    const made = name === "svg" || (parent && parent.namespaceURI === SVG)
      ? document.createElementNS(SVG, name) : document.createElement(name);
    Object.entries(attributes || {}).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== undefined) made.textContent = text;
    if (parent) parent.appendChild(made);
    return made;
  }

  function number(value) {
    if (value === null) return "–";
    const size = Math.abs(value), raised = (power) => [...power].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");
    const text = size >= 1e4 ? value.toExponential(0).replace(/e\+(\d+)/, (_, power) => ` × 10${raised(power)}`)
      : value.toFixed(size >= 100 ? 0 : 2);
    return text.replace(/^-/, "−").replace(/^−0\.00$/, "0.00");
  }

  function slider(controls, label, values, start, show) {
    const box = element("label", { class: "sp-control" }, controls);
    const head = element("span", {}, box, label + " ");
    const output = element("output", {}, head);
    const input = element("input", { type: "range", min: 0, max: values.length - 1, step: 1, value: start, "aria-label": label }, box);
    const read = () => {
      output.textContent = show(values[input.value]);
      input.setAttribute("aria-valuetext", show(values[input.value]));
      return Number(input.value);
    };
    return { input, read };
  }

  function chooser(controls, options) {
    const box = element("fieldset", { class: "sp-control" }, controls);
    element("legend", {}, box, "Weights after the first layer");
    const inputs = options.map(([value, text], index) => {
      const label = element("label", {}, box);
      const input = element("input", { type: "radio", name: "sp-method", value }, label);
      input.checked = index === 0;
      label.append(" " + text);
      return input;
    });
    return { inputs, read: () => inputs.find((input) => input.checked).value };
  }

  /* Pixels that a drawing has across, so that its text keeps the size of the page's captions. */
  const room = (svg) => Math.max(240, svg.clientWidth || 400);

  /* Histograms of all layers, one under another, over asinh of the pre-activation. */
  function ridges(svg, run, layers, span, chosen, theme) {
    const left = 56, row = 40, top = 6, height = top + row * layers + 26, width = room(svg) - left - 8;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${left + width + 8} ${height}`);
    const x = (value) => left + width * (Math.asinh(value) - span.low) / (span.high - span.low);
    [-5, -1, 0, 1, 5, 100, 10000].forEach((tick) => {
      const at = x(tick);
      element("line", { x1: at, x2: at, y1: top, y2: height - 20, stroke: tick ? theme.grid : theme.muted, "stroke-width": 0.8 }, svg);
      element("text", { x: at, y: height - 6, "text-anchor": tick >= 1e4 ? "end" : "middle", "font-size": 12, fill: theme.muted }, svg, tick >= 1e4 ? "≥ 10⁴" : String(tick).replace("-", "−"));
    });
    for (let layer = 0; layer < layers; layer += 1) {
      const counts = run.histograms[layer], most = Math.max(...counts);
      const base = top + row * (layer + 1), step = width / counts.length;
      const path = counts.map((count, bin) => {
        const y = base - (row - 5) * count / most;
        return `L${(left + bin * step).toFixed(1)} ${y.toFixed(1)}h${step.toFixed(2)}`;
      }).join("");
      element("path", { d: `M${left} ${base}${path}L${left + width} ${base}Z`, fill: theme.accent, "fill-opacity": layer === chosen ? 1 : 0.6 }, svg);
      element("text", { x: left - 6, y: base - 6, "text-anchor": "end", "font-size": 13, fill: theme.ink }, svg, `layer ${layer + 1}`);
    }
  }

  /* The correlation of features against the layer: points measured, lines from the recursion. */
  function drift(svg, run, layers, target, theme) {
    const left = 30, top = 12, right = 8, bottom = 38, width = room(svg) - left - right, height = 200;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${left + width + right} ${top + height + bottom}`);
    const x = (layer) => left + width * (layer + 0.3) / (layers - 0.4), y = (value) => top + height * (1 - value);
    [0, 0.5, 1].forEach((tick) => {
      element("line", { x1: left, x2: left + width, y1: y(tick), y2: y(tick), stroke: theme.grid, "stroke-width": 0.8 }, svg);
      element("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end", "font-size": 12, fill: theme.muted }, svg, tick);
    });
    if (target !== null) {
      element("line", { x1: left, x2: left + width, y1: y(target), y2: y(target), stroke: theme.muted, "stroke-dasharray": "4 3" }, svg);
      element("text", { x: left + width, y: y(target) - 4, "text-anchor": "end", "font-size": 12, fill: theme.muted }, svg, "asked for");
    }
    [[2, theme.accent], [3, theme.second]].forEach(([moment, colour]) => {
      const line = run.recursion.slice(0, layers).map((values, layer) => [layer, values[moment]]).filter(([, value]) => value !== null);
      element("path", { d: "M" + line.map(([layer, value]) => `${x(layer).toFixed(1)} ${y(value).toFixed(1)}`).join("L"), fill: "none", stroke: colour, "stroke-width": 1.6 }, svg);
      run.measured.slice(0, layers).forEach((values, layer) => {
        if (values[moment] !== null) element("circle", { cx: x(layer), cy: y(values[moment]), r: moment === 2 ? 5 : 3, fill: colour }, svg);
      });
    });
    for (let layer = 0; layer < layers; layer += 1) {
      element("text", { x: x(layer), y: top + height + 16, "text-anchor": "middle", "font-size": 12, fill: theme.muted }, svg, layer + 1);
    }
    element("text", { x: left + width / 2, y: top + height + 34, "text-anchor": "middle", "font-size": 12, fill: theme.ink }, svg, "layer");
  }

  function table(box, run, chosen) {
    box.replaceChildren();
    const made = element("table", {}, box);
    element("caption", {}, made, `Layer ${chosen + 1}`);
    const head = element("tr", {}, element("thead", {}, made));
    element("td", {}, head);
    ["measured", "recursion"].forEach((name) => element("th", { scope: "col" }, head, name));
    const body = element("tbody", {}, made);
    MOMENTS.forEach((name, moment) => {
      const line = element("tr", {}, body);
      element("th", { scope: "row" }, line, name);
      element("td", {}, line, number(run.measured[chosen][moment]));
      element("td", {}, line, number(run.recursion[chosen][moment]));
    });
  }

  const STYLE = `
    .sp { display: grid; grid-template-columns: minmax(0, 1.3fr) minmax(0, 1fr); gap: 0.5rem 1.5rem; font-size: 0.9em; }
    .sp-controls { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0.4rem 1.6rem; align-items: flex-end; }
    .sp-control { border: 0; margin: 0; padding: 0; flex: 0 1 auto; }
    .sp-control legend { font-size: inherit; margin: 0; padding: 0; float: none; }
    .sp-control label { margin-right: 0.9rem; white-space: nowrap; }
    .sp-control input[type=range] { display: block; width: 9.5rem; max-width: 100%; min-height: 1.5rem; }
    .sp-control output { font-variant-numeric: tabular-nums; font-weight: 600; }
    .sp svg { width: 100%; height: auto; display: block; }
    .sp-key { margin: 0 0 0.2rem; }
    .sp table { margin: 0.3rem 0 0; width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
    .sp caption { caption-side: top; font-weight: 600; padding: 0; color: inherit; }
    .sp th { font-weight: 400; text-align: left; } .sp td, .sp thead th { text-align: right; }
    @media (max-width: 600px) { .sp { grid-template-columns: minmax(0, 1fr); } }`;

  window.invex.interactive("signal-propagation.js", (stage, data, theme) => {
    element("style", {}, stage, STYLE);
    const root = element("div", { class: "sp" }, stage);
    const controls = element("div", { class: "sp-controls" }, root);
    const depths = data.runs.clamped[0][0].histograms.map((_, layer) => layer + 1).slice(1);
    const method = chooser(controls, [["principled", "principled"], ["clamped", "He, clamped at 0"]]);
    const rho = slider(controls, "Correlation asked for", data.correlations, data.correlations.indexOf(0.5), (value) => value.toFixed(1));
    const width = slider(controls, "Width", data.widths, 1, String);
    const depth = slider(controls, "Layers", depths, depths.length - 2, String);
    const left = element("div", {}, root), right = element("div", {}, root);
    const histograms = element("svg", { role: "img" }, left);
    const key = element("p", { class: "sp-key" }, right, "Correlation of features ");
    const networks = element("span", {}, key, "over networks"), over = element("span", {}, (key.append(", "), key), "over the data");
    const lines = element("svg", { role: "img" }, right);
    const values = element("div", { "aria-live": "polite" }, right);

    function draw() {
      const chosen = method.read(), clamped = chosen === "clamped", colours = theme();
      const layers = depths[depth.read()], at = rho.read();
      rho.input.disabled = clamped;
      const run = data.runs[chosen][width.read()][clamped ? 0 : at];
      networks.style.color = colours.accent;
      over.style.color = colours.second;
      ridges(histograms, run, layers, data, layers - 1, colours);
      drift(lines, run, layers, clamped ? null : data.correlations[at], colours);
      table(values, run, layers - 1);
      const end = run.measured[layers - 1];
      histograms.setAttribute("aria-label", `Histograms of the pre-activations of ${layers} layers; the last has mean ${number(end[0])} and variance ${number(end[1])}.`);
      lines.setAttribute("aria-label", `Correlation of features by layer; ${number(end[2])} over networks and ${number(end[3])} over the data in the last.`);
    }

    [...method.inputs, rho.input, width.input, depth.input].forEach((input) => input.addEventListener("input", draw));
    document.addEventListener("invex:theme", draw);
    window.addEventListener("resize", draw);
    draw();
  });
})();
