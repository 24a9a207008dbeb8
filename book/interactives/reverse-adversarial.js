/* From an image to its metamer: one slider moves the nuisances, for each loss; the logits stay.
   Data: side, losses [{name, pairs [{frames [hex], target hex, label, reference}]}]. */
invex.interactive("reverse-adversarial.js", (stage, data, theme) => {
  "use strict";
  const names = { ce: "cross-entropy", ice: "independence cross-entropy" };
  const steps = data.losses[0].pairs[0].frames.length;
  const state = { pair: 0, step: steps - 1 };

  function element(parent, name, style = "", text = "") {
    const made = document.createElement(name);
    made.style.cssText = style;
    if (text) made.textContent = text;
    return parent.appendChild(made);
  }

  function draw(canvas, hex) {
    const context = canvas.getContext("2d"), image = context.createImageData(data.side, data.side);
    for (let i = 0; i < data.side * data.side; i++) {
      const value = parseInt(hex.substr(2 * i, 2), 16);
      image.data.set([value, value, value, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }

  function picture(parent, title, label) {
    const figure = element(parent, "div", "flex:1 1 0;min-width:0");
    const head = element(figure, "div", "font-size:.85rem;min-height:2.4em;display:flex;align-items:flex-end", title);
    const canvas = element(figure, "canvas", "width:100%;image-rendering:pixelated;display:block;touch-action:pan-y");
    canvas.width = canvas.height = data.side;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    return { head, canvas };
  }

  const row = element(stage, "div", "display:flex;gap:.6rem;max-width:40rem");
  const start = picture(row, "image", "the image");
  const moving = data.losses.map((loss) => picture(row, names[loss.name] || loss.name, `metamer, ${names[loss.name] || loss.name}`));
  const target = picture(row, "reference", "the reference");

  const controls = element(stage, "div", "display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:center;font-size:.9rem;margin-top:.5rem");
  const label = element(controls, "label", "display:inline-flex;gap:.5rem;align-items:center", "nuisances ");
  const slider = element(label, "input");
  Object.assign(slider, { type: "range", min: 0, max: steps - 1, step: 1, value: state.step });
  const chooser = element(controls, "label", "display:inline-flex;gap:.5rem;align-items:center", "pair ");
  const pick = element(chooser, "select");
  data.losses[0].pairs.forEach((pair, i) => { element(pick, "option", "", `${i + 1}: ${pair.label} and ${pair.reference}`).value = i; });
  const words = element(stage, "p", "font-size:.9rem;margin:.3rem 0 0;min-height:2.6em");
  words.setAttribute("aria-live", "polite");

  function update() {
    const first = data.losses[0].pairs[state.pair], share = Math.round(100 * state.step / (steps - 1));
    draw(start.canvas, first.frames[0]);
    draw(target.canvas, first.target);
    data.losses.forEach((loss, i) => draw(moving[i].canvas, loss.pairs[state.pair].frames[state.step]));
    words.textContent = `Logits of the ${first.label}, nuisances ${share} % of the way to those of the ${first.reference}: all along the way each network gives the same logits.`;
    slider.value = state.step;
    slider.setAttribute("aria-valuetext", `${share} percent of the way`);
  }

  function paint() {
    const colours = theme();
    [start, target].forEach((one) => { one.head.style.color = colours.muted; });
    moving.forEach((one, i) => { one.head.style.color = i ? colours.accent : colours.second; });
  }

  const across = (event) => {
    const box = event.currentTarget.getBoundingClientRect(), share = (event.clientX - box.left) / box.width;
    state.step = Math.max(0, Math.min(steps - 1, Math.round(share * (steps - 1))));
    update();
  };
  moving.forEach((one) => {
    one.canvas.addEventListener("pointerdown", across);
    one.canvas.addEventListener("pointermove", (event) => { if (event.buttons) across(event); });
  });
  slider.addEventListener("input", () => { state.step = Number(slider.value); update(); });
  pick.addEventListener("change", () => { state.pair = Number(pick.value); update(); });
  document.addEventListener("invex:theme", paint);
  update();
  paint();
});
