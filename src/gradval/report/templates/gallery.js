// The samples of a study: sorted by any score, filtered, two settings side by side. No library.
// Only what can be seen is in the page, so that many thousand samples open at once.
(function () {
  "use strict";
  const place = document.getElementById("samples");
  const folder = place.dataset.folder;
  const titles = JSON.parse(place.dataset.collections);
  const IMAGE = 64, CAPTION = 32, GAP = 6, ROWS_AROUND = 2;

  // --- Parts: in the page, or scripts and pictures beside it ----------------------------------------
  const parts = new Map(), waiting = new Map();
  window.gradval = { part: (name, value) => waiting.get(name)(value) };
  function load(name) {
    if (!parts.has(name)) {
      const own = document.getElementById("part:" + name);
      parts.set(name, own ? Promise.resolve(JSON.parse(own.textContent)) : new Promise((done, failed) => {
        waiting.set(name, done);
        const script = document.createElement("script");
        script.src = `${folder}/${name.replaceAll("/", "-")}.js`;
        script.onerror = () => failed(new Error(`${script.src} is missing: keep ${folder} beside this page`));
        document.head.append(script);
      }));
    }
    return parts.get(name);
  }
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const decoded = (coded) => ({ names: coded.names, codes: new Uint32Array(bytes(coded.codes)) });
  const textOf = (coded, i) => coded.names[coded.codes[i]];

  const sprites = new Map();
  function sprite(name) {
    if (!sprites.has(name)) {
      sprites.set(name, folder ? Promise.resolve(`${folder}/sprite-${name}.webp`) : load("sprite/" + name).then((data) =>
        URL.createObjectURL(new Blob([bytes(data.split(",")[1])], { type: "image/webp" }))));
    }
    return sprites.get(name);
  }

  async function collection(name) {
    const [facts, samples] = await Promise.all([load(name), load(name + "/samples")]);
    if (!facts.labels) {
      facts.name = name;
      facts.labels = new Uint16Array(bytes(samples.labels));
      facts.files = samples.files;
      facts.tiles = new Int32Array(facts.count).fill(-1);
      new Uint32Array(bytes(samples.shown)).forEach((position, tile) => { facts.tiles[position] = tile; });
      facts.more = Object.fromEntries(facts.columns.map((heading) => [heading, decoded(samples.columns[heading])]));
      facts.runs = new Map();
    }
    return facts;
  }
  async function run(facts, number) {
    if (!facts.runs.has(number)) {
      const part = await load(`${facts.name}/run${number}`);
      const values = Object.entries(part.values).map(([score, text]) => [score, new Float32Array(bytes(text))]);
      facts.runs.set(number, { values: Object.fromEntries(values), predicted: part.predicted && decoded(part.predicted) });
    }
    return facts.runs.get(number);
  }

  // --- Small helpers ----------------------------------------------------------------------------------
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children);
    return made;
  }
  function choice(label, options, chosen, change) {
    const select = element("select", { onchange: () => change(select.value) });
    for (const [value, text] of options) select.append(element("option", { value, selected: value === chosen }, text));
    return element("label", {}, label, select);
  }
  function number(value) {
    if (Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    const text = size !== 0 && (size < 0.001 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
    return text.replace("-", "−");
  }
  const headings = (facts) => Object.keys(facts.keys[0]);
  const runName = (facts, i) => Object.values(facts.keys[i]).map((pair) => pair[1]).join(", ");
  // Of several values of a heading only; one alone is no choice.
  const choices = (facts, heading) => [...new Map(facts.keys.map((key) => key[heading]))];

  // The image of a sample as an element of some size.
  function thumb(facts, i, size) {
    const tile = facts.tiles[i], shape = facts.tile;
    if (tile < 0) return element("span", { class: "thumb absent", style: `width:${size}px;height:${size}px` }, "no image");
    const scale = size / Math.max(...shape), [width, height] = shape.map((pixels) => pixels * scale);
    const at = tile % facts.perSprite, made = element("span", {
      class: "thumb" + (scale >= 1.5 ? " pixels" : ""),
      style: `width:${width}px;height:${height}px;background-position:-${(at % 32) * width}px -${Math.floor(at / 32) * height}px`,
    });
    const number = Math.floor(tile / facts.perSprite);
    const columns = Math.min(32, facts.shownCount - number * facts.perSprite);
    sprite(`${facts.name}-${number}`).then((url) => {
      made.style.backgroundImage = `url("${url}")`;
      made.style.backgroundSize = `${columns * width}px auto`;
    });
    return made;
  }

  // --- One side: a setting and its grid ----------------------------------------------------------------
  class Side {
    constructor(view, letter) {
      this.view = view;
      this.letter = letter;
      this.run = 0;
      this.controls = element("div", { class: "filters" });
      this.list = element("ul");
      this.grid = element("div", { class: "grid", role: "region", "aria-label": `Samples, setting ${letter}` }, this.list);
      this.grid.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()));
      this.grid.addEventListener("keydown", (event) => this.move(event));
      new ResizeObserver(() => this.draw()).observe(this.grid);
      this.title = element("h3");
      this.root = element("div", { class: "side" }, this.title, this.controls, this.grid);
      this.order = new Uint32Array();
      this.active = 0;
    }

    build() {
      const facts = this.view.facts, key = facts.keys[this.run];
      const selects = headings(facts).filter((heading) => choices(facts, heading).length > 1).map((heading) =>
        choice(heading, choices(facts, heading), key[heading][0], (value) => this.choose(heading, value)));
      selects.push(choice("Score", Object.entries(facts.scores), this.score, (value) => { this.score = value; this.view.update(); }));
      this.controls.replaceChildren(...selects);
      this.title.textContent = (this.view.paired ? `${this.letter}: ` : "") + runName(facts, this.run);
    }

    // The run that has this value and otherwise most in common with the present one.
    choose(heading, value) {
      const { keys } = this.view.facts, now = keys[this.run];
      const alike = (key) => headings(this.view.facts).filter((name) => key[name][0] === now[name][0]).length;
      const fitting = keys.map((_, i) => i).filter((i) => keys[i][heading][0] === value);
      fitting.sort((a, b) => alike(keys[b]) - alike(keys[a]) || a - b);
      this.run = fitting[0];
      this.view.update();
    }

    async sort(members) {
      this.build();
      const values = (await run(this.view.facts, this.run)).values[this.score];
      const sign = this.view.end === "largest" ? -1 : 1;
      const last = (v) => (Number.isNaN(v) ? Infinity : sign * v);
      this.values = values;
      this.order = Uint32Array.from(members).sort((a, b) => last(values[a]) - last(values[b]) || a - b);
    }

    layout() {
      const width = IMAGE + GAP + 6, height = IMAGE + CAPTION + GAP + 6;
      const columns = Math.max(1, Math.floor(this.list.clientWidth / width));
      return { width: this.list.clientWidth / columns, height, columns };
    }

    draw() {
      const { width, height, columns } = this.layout();
      const { facts, marked, chosen } = this.view;
      this.list.style.height = `${Math.ceil(this.order.length / columns) * height}px`;
      const first = Math.max(0, Math.floor(this.grid.scrollTop / height) - ROWS_AROUND) * columns;
      const rows = Math.ceil(this.grid.clientHeight / height) + 2 * ROWS_AROUND;
      const items = [];
      for (let at = first; at < Math.min(this.order.length, first + rows * columns); at++) {
        const i = this.order[at], name = this.view.caption(i), both = marked.has(i);
        const words = `${at + 1}. ${facts.files[i]}, ${name}, ${facts.scores[this.score]} ${number(this.values[i])}` + (both ? ", in both selections" : "");
        items.push(element("li", {
          style: `left:${(at % columns) * width}px;top:${Math.floor(at / columns) * height}px;width:${width - GAP}px;height:${height - GAP}px`,
          "aria-posinset": at + 1, "aria-setsize": this.order.length,
        }, element("button", {
          type: "button", class: "cell" + (both ? " both" : "") + (i === chosen ? " chosen" : ""), "data-sample": i, "data-at": at,
          "aria-label": words, title: words, "aria-pressed": String(i === chosen), tabindex: at === this.active ? 0 : -1, onclick: () => this.view.choose(i, this),
        }, thumb(facts, i, IMAGE), element("span", {}, `${both ? "◆ " : ""}${name}`), element("span", {}, number(this.values[i])))));
      }
      // One stop of the tab key; arrow keys walk on from there.
      if (items.length && !items.some((item) => item.firstChild.tabIndex === 0)) items[0].firstChild.tabIndex = 0;
      const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.at : null;
      this.list.replaceChildren(...items);
      if (focused !== null) this.focus(Number(focused));
    }

    focus(at) {
      this.active = at;
      const cell = this.list.querySelector(`[data-at="${at}"]`);
      if (cell) cell.focus({ preventScroll: true });
    }

    show(at) {
      const { height, columns } = this.layout(), top = Math.floor(at / columns) * height;
      if (top < this.grid.scrollTop || top + height > this.grid.scrollTop + this.grid.clientHeight) {
        this.grid.scrollTop = Math.max(0, top - this.grid.clientHeight / 2);
      }
      this.draw();
    }

    move(event) {
      const cell = document.activeElement.closest("[data-at]");
      const { columns } = this.layout();
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
      if (!cell || step === undefined) return;
      event.preventDefault();
      const at = Math.min(this.order.length - 1, Math.max(0, Number(cell.dataset.at) + step));
      this.active = at;
      this.show(at);
      this.focus(at);
    }
  }

  // --- The whole ----------------------------------------------------------------------------------------
  class View {
    constructor() {
      this.end = "largest";
      this.group = "";
      this.chosen = -1;
      this.paired = place.dataset.paired === "true";
      this.marked = new Set();
      this.controls = element("div", { class: "filters" });
      this.status = element("p", { class: "small", role: "status" });
      this.sides = element("div", { class: "settings" });
      this.detail = element("aside", { class: "detail", "aria-label": "The chosen sample", tabindex: -1, hidden: true });
      this.a = new Side(this, "A");
      this.b = new Side(this, "B");
      place.replaceChildren(this.controls, this.status, this.sides, this.detail);
    }

    async open(name) {
      this.facts = await collection(name);
      this.facts.shownCount = this.facts.tiles.reduce((most, tile) => Math.max(most, tile + 1), 0);
      const scores = Object.keys(this.facts.scores);
      const wanted = place.dataset.score;
      this.a.run = 0;
      this.b.run = this.other(0);
      this.a.score = this.b.score = scores.includes(wanted) ? wanted : scores[scores.length - 1];
      this.group = "";
      this.chosen = -1;
      this.detail.hidden = true;
      await this.update();
    }

    // The setting that differs from one by its privacy level alone, or else the last.
    other(run) {
      const { keys } = this.facts, names = headings(this.facts);
      const differs = (key) => names.filter((name) => key[name][0] !== keys[run][name][0]);
      const found = keys.map((_, i) => i).filter((i) => differs(keys[i]).join() === "Privacy");
      return found.length ? found[found.length - 1] : keys.length - 1;
    }

    build() {
      const { facts } = this, classes = facts.classes.map((name, i) => ["label:" + i, name]);
      const columns = Object.entries(facts.more).filter(([, c]) => c.names.length > 1 && c.names.length <= 60);
      const groups = columns.flatMap(([heading, c]) => c.names.map((name, i) => [`${heading}:${i}`, `${heading} ${name}`]));
      const parts = [];
      if (Object.keys(titles).length > 1) parts.push(choice("Samples", Object.entries(titles), facts.name, (value) => this.open(value)));
      parts.push(choice("Class", [["", "all"], ...classes, ...groups], this.group, (value) => { this.group = value; this.update(); }));
      parts.push(choice("First", [["largest", "largest"], ["smallest", "smallest"]], this.end, (value) => { this.end = value; this.update(); }));
      const compare = element("button", { type: "button", class: "quiet", "aria-pressed": String(this.paired), onclick: () => {
        this.paired = !this.paired;
        this.update();
      } }, this.paired ? "One setting" : "Compare with another setting");
      this.controls.replaceChildren(...parts, compare);
    }

    // The class of a sample, what it was before its label was changed, and whether it was planted.
    caption(i) {
      const { facts } = this, has = (heading) => (facts.more[heading] ? textOf(facts.more[heading], i) : "");
      const before = has("Label before");
      return (has("Planted") ? "⚑ " : "") + facts.classes[facts.labels[i]] + (before ? `, was ${before}` : "");
    }

    members() {
      const [heading, code] = this.group.split(":"), { facts } = this;
      const codes = heading === "label" ? facts.labels : heading ? facts.more[heading].codes : null;
      const found = [];
      for (let i = 0; i < facts.count; i++) if (!codes || codes[i] === Number(code)) found.push(i);
      return found;
    }

    async update() {
      this.build();
      const members = this.members();
      const sides = this.paired ? [this.a, this.b] : [this.a];
      this.sides.replaceChildren(...sides.map((side) => side.root));
      await Promise.all(sides.map((side) => side.sort(members)));
      const k = Math.min(Number(place.dataset.k) || 25, Math.floor(members.length / 2) || 1);
      const top = sides.map((side) => new Set(side.order.slice(0, k)));
      this.marked = new Set(this.paired ? [...top[0]].filter((i) => top[1].has(i)) : []);
      this.status.textContent = `${members.length.toLocaleString("en")} samples` + ("Planted" in this.facts.more ? ", ⚑ planted" : "") +
        (this.paired ? `; of the ${k} ${this.end} of either setting ${this.marked.size} are the same, marked ◆ and framed` : "");
      for (const side of sides) { side.grid.scrollTop = 0; side.draw(); }
    }

    async choose(i, from) {
      this.chosen = i;
      for (const side of this.paired ? [this.a, this.b] : [this.a]) {
        if (side === from) side.draw(); else side.show(side.order.indexOf(i));
      }
      await this.describe(i);
    }

    async describe(i) {
      const { facts } = this, scores = Object.entries(facts.scores);
      const all = await Promise.all(facts.keys.map((_, n) => run(facts, n)));
      const rank = (values, within) => {
        let above = 1;
        for (let j = 0; j < values.length; j++) if (values[j] > values[i] && (!within || facts.labels[j] === facts.labels[i])) above++;
        return above.toLocaleString("en");
      };
      const predicted = all.some((one) => one.predicted), likely = !predicted && "loss" in facts.scores;
      const head = ["Setting", ...scores.map(([, label]) => label)];
      if (predicted) head.push("Predicted");
      if (likely) head.push("Probability of its class");
      const rows = all.map((one, n) => element("tr", {}, element("th", { scope: "row" }, runName(facts, n)),
        ...scores.map(([score]) => element("td", { class: "number" }, number(one.values[score][i]), element("br"),
          element("small", {}, `${rank(one.values[score])}, ${rank(one.values[score], true)} of class`))),
        ...(predicted ? [element("td", {}, one.predicted ? textOf(one.predicted, i) : "–")] : []),
        ...(likely ? [element("td", { class: "number" }, `${(100 * Math.exp(-one.values.loss[i])).toFixed(1)}%`)] : [])));
      const facts_of = [["Class", facts.classes[facts.labels[i]]], ...facts.columns.map((heading) => [heading, textOf(facts.more[heading], i)])];
      this.detail.replaceChildren(thumb(facts, i, 144), element("div", {},
        element("h3", {}, facts.files[i]),
        element("dl", {}, ...facts_of.filter(([, value]) => value).map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value)))),
        element("p", { class: "small" }, "Each score with its ranks among all samples and among its class; 1 is the largest.")),
      element("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "Scores in every setting" },
        element("table", {}, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
          element("tbody", {}, ...rows))));
      this.detail.hidden = false;
    }
  }

  function start() {
    place.replaceChildren(element("p", { role: "status" }, "Opening …"));
    const view = new View();
    view.open(Object.keys(titles)[0]).then(() => { place.dataset.ready = "true"; }).catch((error) => {
      place.replaceChildren(element("p", { role: "alert" }, error.message));
    });
  }
  if (folder) {
    place.replaceChildren(element("button", { type: "button", class: "quiet", onclick: start }, "Open the gallery"));
  } else {
    const near = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) { near.disconnect(); start(); }
    }, { rootMargin: "600px" });
    near.observe(place);
  }
})();
