// The page that trains a compiled model: its controls, curves, metrics and exports. In: trainer.mjs beside it. Out: what people see.
const element = (id) => document.getElementById(id);
const make = (tag, text, attributes = {}) =>
  Object.assign(document.createElement(tag), text === undefined ? {} : { textContent: text }, attributes);
const figure = (x) =>
  !Number.isFinite(x)
    ? String(x)
    : x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)
      ? x.toExponential(2)
      : x.toFixed(4);
const whole = new Intl.NumberFormat("en");
const bytes = (n) =>
  n < 1024 ? `${n} B` : n < 2 ** 20 ? `${(n / 1024).toFixed(1)} kB` : `${(n / 2 ** 20).toFixed(1)} MB`;
const clock = (s) =>
  Number.isFinite(s)
    ? `${Math.floor(Math.max(0, Math.round(s)) / 60)}:${String(Math.max(0, Math.round(s)) % 60).padStart(2, "0")}`
    : "–:––";
const say = (text) => {
  if (element("state").textContent !== text) element("state").textContent = text;
};

// ---- curves: a chart keeps every series in at most `most` buckets of (count, mean, least, largest); buckets are joined in pairs when there are more

const most = 2048;
function series(name, points) {
  return { name, points, perBucket: 1, steps: [], mean: [], least: [], largest: [], filled: 0 };
}
function add(s, step, value) {
  if (!Number.isFinite(value)) return;
  const last = s.mean.length - 1;
  if (s.points || last < 0 || s.filled >= s.perBucket) {
    s.steps.push(step);
    s.mean.push(value);
    s.least.push(value);
    s.largest.push(value);
    s.filled = 1;
    if (s.mean.length > most) halve(s);
    return;
  }
  s.filled += 1;
  s.steps[last] = step;
  s.mean[last] += (value - s.mean[last]) / s.filled;
  s.least[last] = Math.min(s.least[last], value);
  s.largest[last] = Math.max(s.largest[last], value);
}
function halve(s) {
  const pair = (list, join) => {
    const out = [];
    for (let i = 0; i < list.length; i += 2) out.push(i + 1 < list.length ? join(list[i], list[i + 1]) : list[i]);
    return out;
  };
  s.steps = pair(s.steps, (_, b) => b);
  s.mean = pair(s.mean, (a, b) => (a + b) / 2);
  s.least = pair(s.least, Math.min);
  s.largest = pair(s.largest, Math.max);
  s.filled = s.mean.length % 2 ? 1 : s.perBucket;
  s.perBucket *= 2;
}
/** What the eye follows: the mean of the neighbourhood, about 2 % of what there is, evenly to both sides. */
function smoothed(s) {
  const count = s.mean.length,
    reach = Math.ceil(count / 100),
    sums = [0];
  s.mean.forEach((value, i) => sums.push(sums[i] + value));
  return s.mean.map((_, i) => {
    const r = Math.min(reach, i, count - 1 - i);
    return (sums[i + r + 1] - sums[i - r]) / (2 * r + 1);
  });
}

function chart(section) {
  const canvas = section.querySelector("canvas"),
    tip = section.querySelector(".tip"),
    legend = section.querySelector(".legend");
  const self = {
    lines: new Map(),
    steps: 1,
    log: undefined,
    at: undefined,
    title: section.querySelector("h2").textContent,
  };
  let wanted = false;
  const color = (i) => `--curve${(i % 5) + 1}`;
  self.line = (name, points = false) => {
    if (!self.lines.has(name)) {
      const key = make("span", name, { className: points ? "points" : "" });
      key.style.setProperty("--key", `var(${color(self.lines.size)})`);
      legend.append(key);
      self.lines.set(name, { ...series(name, points), color: color(self.lines.size) });
    }
    return self.lines.get(name);
  };
  self.clear = () => {
    self.lines.clear();
    legend.replaceChildren();
    self.at = undefined;
    tip.hidden = true;
    self.draw();
  };
  self.isLog = () => {
    const all = [...self.lines.values()].flatMap((s) =>
      s.mean.length ? [Math.min(...s.least), Math.max(...s.largest)] : [],
    );
    const least = Math.min(...all),
      largest = Math.max(...all);
    return all.length > 0 && least > 0 && (self.log ?? (section.id === "loss-chart" && largest > 12 * least));
  };
  self.draw = () => {
    if (!wanted) requestAnimationFrame(paint);
    wanted = true;
  };

  function ticks(low, high, count, log) {
    if (log) {
      const decades = Math.log10(high / low),
        inside = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 5];
      const found = [];
      for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
        for (const m of inside) {
          const t = m * 10 ** e;
          if (t >= low && t <= high) found.push(t);
        }
      return found;
    }
    const raw = (high - low) / count,
      unit = 10 ** Math.floor(Math.log10(raw)),
      step =
        unit *
        [1, 2, 5, 10].reduce((best, m) =>
          Math.abs(Math.log((m * unit) / raw)) < Math.abs(Math.log((best * unit) / raw)) ? m : best,
        );
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(k * step + 0);
    return found;
  }
  const label = (x) =>
    x === 0
      ? "0"
      : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3
        ? x.toExponential(0).replace("e+", "e")
        : String(Number(x.toPrecision(3)));

  function paint() {
    wanted = false;
    const scale = devicePixelRatio || 1,
      width = canvas.clientWidth,
      height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const g = canvas.getContext("2d"),
      style = getComputedStyle(document.documentElement),
      css = (name) => style.getPropertyValue(name);
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, width, height);
    g.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const left = 44,
      right = width - 8,
      top = 8,
      bottom = height - 24;
    const lines = [...self.lines.values()].filter((s) => s.mean.length);
    const log = self.isLog();
    let low = Infinity,
      high = -Infinity;
    // The range follows the means: a few wild batches are cut off rather than everything else flattened.
    for (const s of lines)
      for (const value of s.mean) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    if (!lines.length) {
      low = 0;
      high = 1;
    }
    if (low === high) {
      low -= Math.abs(low) / 2 || 0.5;
      high += Math.abs(high) / 2 || 0.5;
    }
    if (log) {
      low /= 1.15;
      high *= 1.15;
    } else {
      const margin = (high - low) * 0.06;
      if (!(low >= 0 && low < margin)) low -= margin;
      else low = 0;
      high = section.id === "metric-chart" && high <= 1 && low >= 0 ? Math.min(1, high + margin) + 0.01 : high + margin;
    }
    const steps = Math.max(self.steps, ...lines.map((s) => s.steps.at(-1)), 1);
    const x = (step) => left + ((right - left) * step) / steps;
    const y = (value) =>
      bottom -
      (bottom - top) *
        (log ? Math.log(Math.max(value, low) / low) / Math.log(high / low) : (value - low) / (high - low));
    g.lineWidth = 1;
    g.strokeStyle = css("--line");
    g.fillStyle = css("--faint");
    g.textBaseline = "middle";
    g.textAlign = "right";
    for (const t of lines.length ? ticks(low, high, 5, log) : []) {
      const at = Math.round(y(t)) + 0.5;
      g.beginPath();
      g.moveTo(left, at);
      g.lineTo(right, at);
      g.stroke();
      g.fillText(label(t), left - 8, at);
    }
    g.textBaseline = "top";
    g.textAlign = "center";
    for (const t of lines.length ? ticks(0, steps, Math.max(3, Math.min(8, width / 90)), false) : [])
      if (Number.isInteger(t)) g.fillText(whole.format(t), Math.min(x(t), right - 12), bottom + 8);
    g.strokeStyle = css("--faint");
    g.beginPath();
    g.moveTo(left, bottom + 0.5);
    g.lineTo(right, bottom + 0.5);
    g.stroke();
    if (!lines.length) {
      g.textBaseline = "middle";
      g.font = `13px ${getComputedStyle(document.body).fontFamily}`;
      g.fillText("the curve appears here", (left + right) / 2, (top + bottom) / 2);
    }

    g.save();
    g.beginPath();
    g.rect(left, top - 4, right - left + 8, bottom - top + 8);
    g.clip();
    for (const s of lines) {
      const paintColor = css(s.color);
      g.strokeStyle = g.fillStyle = paintColor;
      g.lineJoin = "round";
      if (!s.points) {
        g.globalAlpha = 0.18;
        g.beginPath();
        s.steps.forEach((step, i) => g.lineTo(x(step), y(s.largest[i])));
        for (let i = s.steps.length - 1; i >= 0; i--) g.lineTo(x(s.steps[i]), y(s.least[i]));
        g.fill();
        if (s.perBucket === 1) {
          g.globalAlpha = 0.28;
          g.lineWidth = 1;
          g.beginPath();
          s.steps.forEach((step, i) => g.lineTo(x(step), y(s.mean[i])));
          g.stroke();
        }
      }
      g.globalAlpha = 1;
      g.lineWidth = 2;
      g.beginPath();
      (s.points ? s.mean : smoothed(s)).forEach((value, i) => g.lineTo(x(s.steps[i]), y(value)));
      g.stroke();
      if (s.points)
        for (let i = 0; i < s.steps.length; i++) {
          g.beginPath();
          g.arc(x(s.steps[i]), y(s.mean[i]), s.steps.length > 60 ? 2 : 3.5, 0, 7);
          g.fill();
        }
    }
    g.restore();
    const nearest = (s) => {
      let best = 0;
      s.steps.forEach((step, i) => {
        if (Math.abs(step - self.at) < Math.abs(s.steps[best] - self.at)) best = i;
      });
      return best;
    };
    if (self.at !== undefined && lines.length) {
      const at = Math.round(x(self.at)) + 0.5;
      g.strokeStyle = css("--faint");
      g.lineWidth = 1;
      g.beginPath();
      g.moveTo(at, top);
      g.lineTo(at, bottom);
      g.stroke();
      tip.textContent = [
        `step ${whole.format(lines[0].steps[nearest(lines[0])])}`,
        ...lines.map((s) => `${s.name} ${figure((s.points ? s.mean : smoothed(s))[nearest(s)])}`),
      ].join("\n");
      tip.hidden = false;
      tip.style.left = `${Math.min(at + 12, width - tip.offsetWidth - 4)}px`;
      tip.style.top = "10px";
    } else tip.hidden = true;
    const texts = lines.map((s) => `${s.name} ${figure(s.mean.at(-1))}`);
    canvas.setAttribute(
      "aria-label",
      `${self.title} by step: ${texts.length ? `${texts.join(", ")} at step ${lines[0].steps.at(-1)}` : "nothing yet"}`,
    );
  }
  const point = (event) => {
    const box = canvas.getBoundingClientRect(),
      share = (event.clientX - box.left - 44) / (box.width - 52);
    self.at = share < 0 || share > 1 ? undefined : share * Math.max(self.steps, 1);
    self.draw();
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", () => {
    self.at = undefined;
    self.draw();
  });
  new ResizeObserver(self.draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", self.draw);
  return self;
}

const lossChart = chart(element("loss-chart")),
  metricChart = chart(element("metric-chart"));
element("log").onclick = () => {
  lossChart.log = !lossChart.isLog();
  element("log").setAttribute("aria-pressed", String(lossChart.isLog()));
  lossChart.draw();
};

// ---- problems, in words

function problem(title, error) {
  const known = ["RuntimeProblem", "DeviceUnavailable"].includes(error?.name);
  element("problem-title").textContent = title;
  element("problem-text").textContent =
    known || typeof error === "string"
      ? String(error.message ?? error).replace(/^[a-z](?=[a-z']* )/, (c) => c.toUpperCase())
      : `This is a fault of the program, not of the page's visitor: ${error?.stack ?? error}`;
  element("problem").hidden = false;
  if (!known && typeof error !== "string") console.error(error);
}
const noProblem = () => {
  element("problem").hidden = true;
};

// ---- files: fetched, or given by hand

const given = new Map(); // path -> bytes, or a host() column's values
const wantedFiles = new Map(); // what is asked of the visitor: path -> "file" | "host"
function listFiles(note) {
  element("files").hidden = wantedFiles.size === 0;
  element("files-note").textContent = note;
  element("file-list").replaceChildren(
    ...[...wantedFiles].map(([path, kind]) => {
      const row = make("div", undefined, { className: "file" });
      const input = make("input", undefined, { type: "file", ariaLabel: `file for ${path}` });
      if (kind === "host") input.accept = ".json,application/json";
      input.onchange = () => input.files[0] && take(path, input.files[0]);
      row.append(make("code", path), given.has(path) ? make("span", "given", { className: "ok" }) : input);
      return row;
    }),
  );
}
async function take(path, file) {
  noProblem();
  try {
    given.set(
      path,
      wantedFiles.get(path) === "host" ? JSON.parse(await file.text()) : new Uint8Array(await file.arrayBuffer()),
    );
  } catch (error) {
    problem(`${file.name} cannot be read`, String(error.message));
  }
  listFiles(element("files-note").textContent);
  if ([...wantedFiles.keys()].every((name) => given.has(name))) say("Ready");
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  for (const file of event.dataTransfer.files) {
    const paths = [...wantedFiles.keys(), ...dataFiles()],
      path = paths.find((name) => name.split("/").at(-1) === file.name) ?? paths.find((name) => !given.has(name));
    if (!path) continue;
    if (!wantedFiles.has(path)) wantedFiles.set(path, "file");
    void take(path, file);
  }
});

// ---- the model

let trainer,
  plan,
  model,
  seedOfModel,
  running,
  finished = false;
const blockOf = () => plan.trains.find((block) => block.name === element("block").value) ?? plan.trains[0];
const dataFiles = () => [
  ...new Set(
    plan.datasets.flatMap((set) => set.columns.flatMap((column) => (column.loader.path ? [column.loader.path] : []))),
  ),
];
const hostFields = () => [
  ...new Set(
    plan.datasets.flatMap((set) =>
      set.columns.flatMap((column) => (column.loader.kind === "host" ? [column.loader.name] : [])),
    ),
  ),
];

function showDevice({ name, vendor, architecture, subgroupSize }) {
  const about = [vendor, architecture].filter((word) => word && !name.toLowerCase().includes(word.toLowerCase()));
  element("device").textContent = [
    name,
    about.join(" "),
    subgroupSize ? `subgroups of ${[...new Set([subgroupSize.least, subgroupSize.most])].join(" to ")}` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** What is known of the run: of the plan at once, of data and device when the model is loaded. */
function showFacts() {
  const count = (kind) =>
    plan.states
      .filter((state) => state.kind === kind)
      .reduce((sum, state) => sum + state.shape.reduce((n, size) => n * (typeof size === "number" ? size : 1), 1), 0);
  const facts = [
    ["parameters", whole.format(count("parameter"))],
    ["kernels", whole.format(plan.modules.length)],
  ];
  if (model) {
    const cost = model.cost.trains[blockOf().name];
    if (cost)
      facts.push(
        ["launches per step", whole.format(cost.dispatchesPerStep)],
        ["steps per submit", `up to ${cost.window}`],
      );
    facts.push(["device memory", bytes(model.cost.bytes)]);
    for (const [name, { rows, splits }] of Object.entries(model.data))
      facts.push(
        [name, `${whole.format(rows)} rows`],
        ...Object.entries(splits).map(([split, rows]) => [split, whole.format(rows), "part"]),
      );
  }
  element("run").replaceChildren(
    ...facts.flatMap(([name, text, kind = ""]) => [make("dt", name, { className: kind }), make("dd", text)]),
  );
}

async function load() {
  if (model && seedOfModel === element("seed").value) return model;
  model?.close();
  model = undefined;
  say("Loading data and compiling kernels …");
  for (;;) {
    try {
      const seed = element("seed").value;
      model = await trainer.load({
        weights: false, // it is there to be trained
        ...(seed === "" ? {} : { seed: Number(seed) }),
        host: Object.fromEntries(hostFields().map((name) => [name, given.get(name)])),
        read: async (path) => given.get(path) ?? trainer.fetchFile(path),
      });
      seedOfModel = seed;
      break;
    } catch (error) {
      if (!error?.path || given.has(error.path)) throw error;
      wantedFiles.set(error.path, "file");
      listFiles("Choose them here or drop them on the page; nothing is uploaded.");
      throw error;
    }
  }
  showDevice(model.device);
  showFacts();
  return model;
}

const shown = new Map(); // metric -> Map(split -> value)
function show(split, values) {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "number") {
      showTensor(`${name}, ${split}`, value);
      continue;
    }
    if (!shown.has(name)) shown.set(name, new Map());
    shown.get(name).set(split, value);
  }
  const splits = [...new Set([...shown.values()].flatMap((row) => [...row.keys()]))];
  const head = make("tr"),
    body = make("tbody"),
    top = make("thead");
  head.append(make("th", ""), ...splits.map((name) => make("th", name, { scope: "col" })));
  for (const [name, row] of shown) {
    const line = make("tr");
    line.append(
      make("th", name, { scope: "row" }),
      ...splits.map((name) => make("td", row.has(name) ? figure(row.get(name)) : "–")),
    );
    body.append(line);
  }
  top.append(head);
  element("no-figures").hidden = true;
  element("figures").replaceChildren(top, body);
}
function showTensor(title, { shape, data }) {
  if (shape.length !== 2 || shape[0] > 24 || shape[1] > 24) return;
  const id = `tensor ${title}`,
    card = document.getElementById(id) ?? make("section", undefined, { id, className: "card" }),
    table = make("table", undefined, { className: "heat" }),
    largest = Math.max(...data, 1e-30);
  for (let i = 0; i < shape[0]; i++) {
    const row = make("tr");
    for (let j = 0; j < shape[1]; j++) {
      const value = data[i * shape[1] + j],
        cell = make("td", Number.isInteger(value) ? String(value) : value.toFixed(2));
      cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round((70 * Math.max(0, value)) / largest)}%, transparent)`;
      row.append(cell);
    }
    table.append(row);
  }
  const scroll = make("div", undefined, { className: "scroll" });
  scroll.append(table);
  card.replaceChildren(make("h2", title), scroll);
  element("tensors").append(card);
  element("tensors").hidden = false;
}

function progress(step, steps) {
  const percent = (100 * step) / Math.max(steps, 1);
  element("done").style.width = `${percent}%`;
  element("track").setAttribute("aria-valuenow", String(Math.round(percent)));
  lossChart.steps = metricChart.steps = steps;
}
function onProgress(event) {
  if (event.kind === "saved") return;
  if (event.kind === "measuring")
    return say(`Measuring ${event.split}: ${whole.format(event.done)} of ${whole.format(event.rows)} rows`);
  if (event.kind === "evaluation") {
    for (const [name, value] of Object.entries(event.values))
      if (typeof value === "number")
        add(
          (name === "loss" ? lossChart : metricChart).line(
            name === "loss" ? event.split : `${name}, ${event.split}`,
            true,
          ),
          event.step,
          value,
        );
    show(event.split, event.values);
  } else {
    for (const [name, values] of Object.entries(event.curves)) {
      const target = (name === "loss" ? lossChart : metricChart).line(name === "loss" ? "batch" : `${name}, batch`);
      values.forEach((value, i) => add(target, event.step - values.length + i + 1, value));
    }
    show("batch", Number.isNaN(event.loss) ? event.metrics : { loss: event.loss, ...event.metrics });
    progress(event.step, event.steps);
    const epoch = event.epochs ? `Epoch ${Math.min(event.epoch + 1, event.epochs)} of ${event.epochs} · ` : "";
    element("state").setAttribute("aria-live", "off"); // several times a second is no news
    say(`${epoch}step ${whole.format(event.step)} of ${whole.format(event.steps)}`);
    element("rate").replaceChildren(
      make("strong", whole.format(Math.round(event.stepsPerSecond))),
      ` steps/s · ${clock(event.secondsLeft)} left`,
    );
  }
  element("metric-chart").hidden = metricChart.lines.size === 0;
  element("log").setAttribute("aria-pressed", String(lossChart.isLog()));
  lossChart.draw();
  metricChart.draw();
}

function buttons() {
  element("start").textContent = running
    ? "Pause"
    : finished
      ? "Again"
      : model && !finished && model.step(blockOf().name) > 0
        ? "Go on"
        : "Start";
  element("start").disabled = running === "pausing";
  element("reset").disabled = Boolean(running) || !model;
  element("save").disabled = Boolean(running) || !model;
  const begun = Boolean(model) && plan.trains.some((block) => model.step(block.name) > 0);
  for (const id of ["epochs", "steps", "seed", "block"])
    element(id).disabled = Boolean(running) || (id !== "block" && begun);
}

let pause;
async function start() {
  noProblem();
  pause = new AbortController();
  running = "running";
  buttons();
  try {
    await load();
    const block = blockOf(),
      number = (id) =>
        element(id).value === "" || element(`${id}-field`).hidden ? {} : { [id]: Number(element(id).value) };
    const result = await model.train(block.name, {
      signal: pause.signal,
      onProgress,
      ...(block.epochs ? number("epochs") : number("steps")),
    });
    element("state").setAttribute("aria-live", "polite");
    const measured = Object.entries(result.measured).map(
      ([split, values]) =>
        `${split}: ${Object.entries(values)
          .flatMap(([name, value]) => (typeof value === "number" ? [`${name} ${figure(value)}`] : []))
          .join(", ")}`,
    );
    finished = result.reason !== "paused";
    say(
      result.reason === "paused"
        ? `Paused at step ${whole.format(result.step)} of ${whole.format(result.steps)}`
        : `${result.reason === "stalled" ? "Stopped: no longer better" : "Finished"} after ${whole.format(result.step)} steps · ${measured.join(" · ") || (Number.isNaN(result.loss) ? "" : `loss ${figure(result.loss)}`)}`,
    );
    if (finished) {
      progress(1, 1);
      lossChart.steps = metricChart.steps = result.step;
    }
    element("rate").replaceChildren(
      make("strong", whole.format(Math.round(result.stepsPerSecond))),
      ` steps/s · ${result.seconds.toFixed(1)} s`,
    );
    document.documentElement.dataset.state = result.reason;
  } catch (error) {
    if (error?.path)
      problem(
        "A data file is missing",
        `The server of this page does not have ${error.path}. Choose it below, then start again.`,
      );
    else problem(model ? "The training stopped" : "The model cannot be loaded", error);
    say(error?.path ? "Waiting for a file" : "Stopped");
    document.documentElement.dataset.state = "problem";
  }
  running = undefined;
  buttons();
}
element("start").onclick = () => {
  if (running) {
    running = "pausing";
    pause.abort();
    say("Pausing …");
    buttons();
  } else if (finished) void reset().then(start);
  else void start();
};
element("reset").onclick = reset;
async function reset() {
  finished = false;
  noProblem();
  try {
    await model.reset();
  } catch {
    model.close(); // what a lost device holds is lost; the next start makes everything anew
    model = undefined;
  }
  for (const c of [lossChart, metricChart]) {
    c.clear();
    c.steps = 1;
  }
  shown.clear();
  element("figures").replaceChildren();
  element("no-figures").hidden = false;
  element("tensors").replaceChildren();
  element("metric-chart").hidden = element("tensors").hidden = true;
  element("rate").replaceChildren();
  progress(0, 1);
  say("Ready");
  buttons();
}
element("save").onclick = async () => {
  try {
    const link = make("a", undefined, {
      href: URL.createObjectURL(new Blob([await model.checkpoint({ weights: true })])),
      download: `${plan.name.replace(/\.dlm$/, "").replace(/.*\//, "")}.safetensors`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    problem("The weights cannot be saved", error);
  }
};
function blockChosen() {
  const block = blockOf();
  element("epochs-field").hidden = !block?.epochs;
  element("steps-field").hidden = !block?.steps;
  element("epochs").value = block?.epochs ?? "";
  element("steps").value = block?.steps ?? "";
  if (model) finished = false;
  buttons();
}
element("block").onchange = () => {
  for (const c of [lossChart, metricChart]) c.clear();
  shown.clear();
  element("figures").replaceChildren();
  progress(0, 1);
  blockChosen();
};

// ---- opening the page

try {
  trainer = await import("./trainer.mjs");
  plan = trainer.plan;
  for (const block of plan.trains) element("block").append(make("option", block.name, { value: block.name }));
  element("block-field").hidden = plan.trains.length < 2;
  element("seed").value = plan.trains[0]?.seed ?? 0;
  element("source-text").textContent = plan.source;
  element("source").closest("section").hidden = plan.source === "";
  for (const module of plan.modules) element("kernel").append(make("option", module.name, { value: module.name }));
  const kernelShown = () => {
    element("kernel-text").textContent =
      plan.modules.find((module) => module.name === element("kernel").value)?.code ?? "";
  };
  element("kernel").onchange = kernelShown;
  kernelShown();
  for (const name of hostFields()) wantedFiles.set(name, "host");
  const about = /^\s*#+\s*(.+)/.exec(plan.source)?.[1]; // the comment that the model's file opens with
  element("about").textContent = about ?? "";
  element("about").hidden = !about;
  showFacts();
  listFiles(
    "The model's data come from the program that runs it: on this page from JSON files, nested lists with rows first.",
  );
  blockChosen();
  if (plan.trains.length === 0) {
    say("This model has no train block.");
    element("start").disabled = true;
    element("device").textContent = "";
  } else {
    const { device, facts } = await trainer.browserDevice();
    device.destroy();
    showDevice(facts);
    say("Ready");
  }
  lossChart.draw();
  document.documentElement.dataset.state = "ready";
} catch (error) {
  element("device").textContent = "";
  element("start").disabled = true;
  problem("This page cannot train here", error);
  say("Not ready");
  document.documentElement.dataset.state = "problem";
}
