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

  /* The part of the bins that any histogram of a method fills with one per mille or more, and a little room. */
  function filled(data, method) {
    const bins = data.runs[method].flat().flatMap((run) => run.histograms)
      .flatMap((counts) => [counts.findIndex((n) => n > 0), counts.findLastIndex((n) => n > 0)]);
    const size = (data.high - data.low) / data.runs[method][0][0].histograms[0].length;
    return {
      low: data.low + size * Math.max(0, Math.min(...bins) - 2),
      high: Math.min(data.high, data.low + size * (Math.max(...bins) + 3)),
    };
  }

  /* What a histogram says without its outermost per cent: mean and variance of the rest. */
  function typical(counts, data) {
    const size = (data.high - data.low) / counts.length, total = counts.reduce((sum, n) => sum + n, 0);
    let below = 0;
    const kept = counts.map((n) => {
      const inside = Math.max(0, Math.min(below + n, 0.995 * total) - Math.max(below, 0.005 * total));
      below += n;
      return inside;
    });
    const at = counts.map((_, bin) => Math.sinh(data.low + size * (bin + 0.5))), sum = kept.reduce((a, n) => a + n, 0);
    const mean = kept.reduce((a, n, bin) => a + n * at[bin], 0) / sum;
    return { mean, variance: kept.reduce((a, n, bin) => a + n * (at[bin] - mean) ** 2, 0) / sum };
  }

  const TICKS = [-10, -5, -2, -1, 0, 1, 2, 5, 10, 100, 1000, 10000];

  /* Histograms of all layers, one under another, over asinh of the pre-activation; a layer is a button. */
  function ridges(svg, run, layers, span, chosen, theme, choose) {
    const left = 62, row = 40, top = 6, height = top + row * layers + 40, width = room(svg) - left - 12;
    const focused = svg.contains(document.activeElement);
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${left + width + 12} ${height}`);
    const x = (value) => left + width * (Math.asinh(value) - span.low) / (span.high - span.low);
    const inside = TICKS.filter((tick) => Math.asinh(tick) >= span.low && Math.asinh(tick) <= span.high);
    const named = [];
    [...inside].sort((a, b) => Math.abs(a) - Math.abs(b)).forEach((tick) => {
      if (named.every((other) => Math.abs(x(other) - x(tick)) > 34)) named.push(tick);
    });
    inside.forEach((tick) => {
      element("line", { x1: x(tick), x2: x(tick), y1: top, y2: height - 34, stroke: tick ? theme.grid : theme.muted, "stroke-width": 0.8 }, svg);
    });
    named.forEach((tick) => {
      const text = tick >= 1e4 ? "≥ 10⁴" : tick >= 1e3 ? "10³" : String(tick).replace("-", "−");
      element("text", { x: x(tick), y: height - 20, "text-anchor": tick >= 1e4 ? "end" : "middle", "font-size": 12, fill: theme.muted }, svg, text);
    });
    element("text", { x: left + width / 2, y: height - 3, "text-anchor": "middle", "font-size": 12, fill: theme.ink }, svg, "pre-activation");
    for (let layer = 0; layer < layers; layer += 1) {
      const base = top + row * (layer + 1), here = layer === chosen;
      const group = element("g", {
        class: "sp-layer", role: "radio", "aria-checked": here, tabindex: here ? 0 : -1,
        "aria-label": `layer ${layer + 1}: mean ${number(run.measured[layer][0])}, variance ${number(run.measured[layer][1])}`,
      }, svg);
      element("rect", { x: 0, y: base - row + 2, width: left + width + 12, height: row, fill: theme.muted, "fill-opacity": here ? 0.12 : 0 }, group);
      const counts = run.histograms[layer], most = Math.max(...counts), size = (span.end - span.start) / counts.length;
      const place = (bin) => left + width * (span.start + size * bin - span.low) / (span.high - span.low);
      const shown = counts.map((count, bin) => [count, bin])
        .filter(([, bin]) => place(bin) >= left - 1 && place(bin + 1) <= left + width + 1);
      const path = shown.map(([count, bin]) => {
        const y = base - (row - 5) * count / most;
        return `L${place(bin).toFixed(1)} ${y.toFixed(1)}H${place(bin + 1).toFixed(1)}`;
      }).join("");
      element("path", { d: `M${left} ${base}${path}L${left + width} ${base}Z`, fill: theme.accent, "fill-opacity": here ? 1 : 0.6 }, group);
      element("text", { x: left - 8, y: base - 8, "text-anchor": "end", "font-size": 13, "font-weight": here ? 600 : 400, fill: theme.ink }, group, `layer ${layer + 1}`);
      group.addEventListener("click", () => choose(layer));
      group.addEventListener("keydown", (event) => {
        const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        choose((layer + step + layers) % layers);
      });
      if (here && focused) group.focus({ preventScroll: true });
    }
  }

  /* The correlation of features against the layer: points measured, lines from the recursion. */
  function drift(svg, run, layers, target, chosen, theme, choose) {
    const left = 30, top = 12, right = 8, bottom = 38, width = room(svg) - left - right, height = 170;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${left + width + right} ${top + height + bottom}`);
    const x = (layer) => left + width * (layer + 0.3) / (layers - 0.4), y = (value) => top + height * (1 - value);
    element("rect", { x: x(chosen) - 12, y: top, width: 24, height: height + 22, fill: theme.muted, "fill-opacity": 0.12 }, svg);
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
      element("text", { x: x(layer), y: top + height + 16, "text-anchor": "middle", "font-size": 12, "font-weight": layer === chosen ? 600 : 400, fill: theme.muted }, svg, layer + 1);
      const step = width / layers;
      element("rect", { class: "sp-column", x: x(layer) - step / 2, y: top, width: step, height: height + 22, fill: "transparent" }, svg)
        .addEventListener("click", () => choose(layer));
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

  const little = (variance) => (variance < 0.01 ? "below 0.01" : `of ${number(variance)}`);

  /* What happens to the signal up to a layer, in a sentence that the numbers choose. */
  function finding(run, layers, target, data) {
    const { mean, variance } = typical(run.histograms[layers - 1], data);
    const first = target === null ? "The negative weights are set to zero" : `A correlation of ${target.toFixed(1)} is asked for`;
    if (variance < 0.1) return `${first}, and the signal falls silent: in layer ${layers} all but a hundredth of the pre-activations lie near ${mean.toFixed(1).replace("-", "−")}, with a variance ${little(variance)}.`;
    if (Math.abs(mean) > 3 || variance > 10) return `${first}, and the signal runs away: in layer ${layers} the mean is ${number(run.measured[layers - 1][0])}.`;
    return `${first}: in layer ${layers} all but a hundredth of the pre-activations have a variance ${little(variance)}.`;
  }

  /* Why a measured variance and that of the recursion differ, where they do. */
  function reason(run, chosen, data) {
    const [measured, expected] = [run.measured[chosen][1], run.recursion[chosen][1]], times = measured / Math.max(expected, 1e-12);
    if (Math.max(measured, expected) < 0.01) return "Measured or by the recursion: hardly anything varies any more.";
    if (times < 2 && times > 0.5) return "The recursion foretells the variance to within a factor of two.";
    const parts = `Variance ${number(measured)} measured, ${number(expected)} by the recursion: `, inner = typical(run.histograms[chosen], data).variance;
    if (inner > measured / 3) return parts + "the recursion takes for Gaussian what is not.";
    return parts + `without the outermost hundredth of the pre-activations the measured one is ${number(inner)}. Log-normal weights have rare, very large values, and what such a weight carries is passed on to every later layer; the recursion knows Gaussians only and does not see it.`;
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
    .sp-key, .sp-reason { margin: 0 0 0.2rem; } .sp-finding { grid-column: 1 / -1; margin: 0.2rem 0 0; min-height: 2.9em; }
    .sp-reason { margin-top: 0.4rem; min-height: 7.5em; }
    .sp-layer, .sp-column { cursor: pointer; } .sp-layer:focus { outline: none; } .sp-layer:focus-visible rect { stroke: currentColor; stroke-width: 1.5; }
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
    const said = element("p", { class: "sp-finding", "aria-live": "polite" }, root);
    const left = element("div", {}, root), right = element("div", {}, root);
    const histograms = element("svg", { role: "radiogroup" }, left);
    element("p", { class: "sp-key" }, left, "A click on a layer, or the arrow keys, show its numbers.");
    const key = element("p", { class: "sp-key" }, right, "Correlation of features ");
    const networks = element("span", {}, key, "over networks"), over = element("span", {}, (key.append(", "), key), "over the data");
    const lines = element("svg", { role: "img" }, right);
    const values = element("div", { "aria-live": "polite" }, right);
    const why = element("p", { class: "sp-reason", "aria-live": "polite" }, right);
    const bins = { start: data.low, end: data.high };
    const spans = { principled: { ...filled(data, "principled"), ...bins }, clamped: { ...filled(data, "clamped"), ...bins } };
    let picked = null; // a layer that was clicked; else the last

    function draw() {
      const chosen = method.read(), clamped = chosen === "clamped", colours = theme();
      const layers = depths[depth.read()], at = rho.read(), target = clamped ? null : data.correlations[at];
      const run = data.runs[chosen][width.read()][clamped ? 0 : at];
      const layer = picked !== null && picked < layers ? picked : layers - 1;
      const choose = (next) => { picked = next; draw(); };
      rho.input.disabled = clamped;
      networks.style.color = colours.accent;
      over.style.color = colours.second;
      said.textContent = finding(run, layers, target, data);
      ridges(histograms, run, layers, spans[chosen], layer, colours, choose);
      drift(lines, run, layers, target, layer, colours, choose);
      table(values, run, layer);
      why.textContent = reason(run, layer, data);
      const end = run.measured[layers - 1];
      histograms.setAttribute("aria-label", `Histograms of the pre-activations of ${layers} layers; choose one to see its numbers.`);
      lines.setAttribute("aria-label", `Correlation of features by layer; ${number(end[2])} over networks and ${number(end[3])} over the data in the last.`);
    }

    depth.input.addEventListener("input", () => { picked = null; });
    [...method.inputs, rho.input, width.input, depth.input].forEach((input) => input.addEventListener("input", draw));
    document.addEventListener("invex:theme", draw);
    window.addEventListener("resize", draw);
    draw();
  });
})();
