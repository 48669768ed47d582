// The page uses a model by the types of its exports alone, in a real Chromium: pictures, tables, planes, lines, texts, sequences, draws; by keyboard; with the
// weights of a file and of a link; nothing that a model or its data are called becomes a part of the page.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeArtifacts } from "../../compiler/cli/artifacts.ts";
import { trainerParts } from "../../compiler/cli/bundle.mjs";
import { made } from "../model.ts";
import { openBrowser } from "./chromium.ts";
import { expectAccessible, look, openPage, strict, writePage } from "./panels.ts";
import { serve } from "./server.ts";

const examples = join(import.meta.dirname, "../../examples");
const example = (path: string): string => readFileSync(join(examples, path), "utf8");
const root = mkdtempSync(join(tmpdir(), "dlm-use-"));
let browser: Browser;
let address: string;
let close: () => void;
const page = async (
  name: string,
  text: string,
  files: Readonly<Record<string, string>> = {},
  options: Parameters<typeof openPage>[2] = {},
) => {
  await writePage(join(root, name), text, files);
  return openPage(browser, `${address}/${name}/index.html`, options);
};

beforeAll(async () => {
  [browser, { address, close }] = await Promise.all([openBrowser(), serve(root, strict)]);
}, 300_000);
afterAll(async () => {
  await browser?.close();
  close?.();
  rmSync(root, { recursive: true, force: true });
});

const ring = `data rings {
  rows: 600
  let side = randint(0, 2)[]
  let turn = uniform(0, 2 * pi)[]
  let radius = where(side == 1, 1.0, 0.3) + 0.05 * normal[]
  field at: f32[2] = [radius * cos(turn), radius * sin(turn)]
  field outer: i32 in 0..2 = side
  holdout test = 0.2
}
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Linear(16, act: tanh) |> Linear(2)
train fit on rings(batch: 50) {
  minimize cross_entropy(net(at), outer) by adam(lr: 0.02)
  epochs: 20
}
export fn side(p: f32[B, 2]) -> f32[B, 2] = softmax(net(p))
export fn edge(p: f32[B, 2]) -> f32[B] = net(p)[:, 1] - net(p)[:, 0]`;

test("points: a plane with the decision map, by pointer and by keyboard, while it trains", async () => {
  const { page: p, train, answer, errors } = await page("ring", ring);
  await train(20);
  const plane = p.locator(".use .plane").first();
  const middle = (await plane.boundingBox())!;
  const click = async (x: number, y: number): Promise<string> => {
    await p.mouse.click(middle.x + 44 + x * (middle.width - 54), middle.y + 28 + y * (middle.height - 54));
    return answer();
  };
  await plane.scrollIntoViewIfNeeded();
  expect(await click(0.5, 0.5)).toBe("0");
  expect(await click(0.5, 0.06)).toBe("1");
  // from the outer ring to the middle, by the arrow keys
  await plane.focus();
  for (let i = 0; i < 18; i++) await p.keyboard.press("ArrowDown");
  expect(await answer()).toBe("0");
  // the map has both classes: the colours of the middle and of a corner differ
  const colors = await plane.evaluate((canvas: HTMLCanvasElement) => {
    const at = (x: number, y: number): number[] => [
      ...canvas.getContext("2d")!.getImageData(x * canvas.width, y * canvas.height, 1, 1).data,
    ];
    return [at(0.52, 0.42), at(0.96, 0.1)];
  });
  expect(Math.max(...colors[0]!.map((c, i) => Math.abs(c - colors[1]![i]!)))).toBeGreaterThan(25);
  expect(await p.locator(".use").nth(1).locator(".answer").textContent()).toMatch(/^-?\d+\.\d+$/);
  // numbers are typed as well
  await p.locator(".use input[type=number]").first().fill("0");
  await p.locator(".use input[type=number]").nth(1).fill("1");
  expect(await answer()).toBe("1");
  expect(await p.textContent("#data .note")).toMatch(/^side is (right in all|wrong in \d+) of 120 rows/);
  await expectAccessible(p);
  await look(p, "ring");
  expect(errors).toEqual([]);
  await p.close();
});

test("a table of numbers: sliders with the data's values, bars with its classes' names; dark, 390 px wide", async () => {
  const rows = example("data/iris.csv")
    .trim()
    .split("\n")
    .map((line, i) =>
      i ? line.replace(/,(\d)$/, (_, k: string) => `,${["setosa", "versicolor", "virginica"][Number(k)]}`) : line,
    );
  const {
    page: p,
    train,
    answer,
    errors,
  } = await page("iris", example("iris.dlm"), { "data/iris.csv": rows.join("\n") + "\n" }, { width: 390, dark: true });
  await train(30);
  const names = ["setosa", "versicolor", "virginica"];
  expect(names).toContain(await answer());
  const sliders = p.locator(".use .sliders input[type=number]");
  expect(await sliders.count()).toBe(4);
  for (const [i, value] of ["5.0", "3.4", "1.4", "0.2"].entries()) await sliders.nth(i).fill(value);
  expect(await answer()).toBe("setosa");
  for (const [i, value] of ["6.5", "3.0", "5.8", "2.2"].entries()) await sliders.nth(i).fill(value);
  expect(await answer()).toBe("virginica");
  expect(await p.locator(".bars th").allTextContents()).toEqual(names);
  // by keyboard alone
  await p.locator(".use .sliders input[type=range]").nth(2).focus();
  await p.keyboard.press("Home");
  expect(Number(await sliders.nth(2).inputValue())).toBeLessThan(1.3);
  await p.click("text=Row of the data");
  expect(names).toContain(await answer());
  await expectAccessible(p);
  await look(p, "iris-phone");
  expect(errors).toEqual([]);
  await p.close();
});

test("texts: a line to type with what the data have before it, letters by their likelihood, a sampler with a button", async () => {
  const {
    page: p,
    errors,
    answer,
  } = await page(
    "text",
    `const window = 12
data t { field ids: i32[window + 1] in 0..30 = chars("t.txt", window: window + 1)\n holdout test = 0.2 }
model net(ids: i32[B, T] in 0..30) -> f32[B, T, 30] = Embedding(30, 30)(ids)
train fit on t(batch: 64) {
  minimize cross_entropy(net(ids[:, 0..window]), ids[:, 1..window + 1]) by adam(lr: 0.1)
  steps: 60
}
export fn following(ids: i32[B, window] in 0..30) -> f32[B, 30] = net(ids)[:, -1]
export fn write(ids: i32[B, window] in 0..30) -> i32[9, B] =
  scan (k in 0..9; w = ids) {
    let c = argmax(net(w)[:, -1], axis: -1)
    next w = concat([w[:, 1..window], reshape[B, 1](c)], axis: 1)
    yield c
  }
export fn invent(temperature: f32 = 1) -> i32[6, 8] in 0..30 = categorical(zeros[6, 8, 30] / temperature)`,
    { "t.txt": "abcdabcdabcd ".repeat(60) },
  ).then(async (opened) => {
    await opened.train(60);
    return opened;
  });
  const line = p.locator(".use textarea").first();
  expect(await line.inputValue()).toMatch(/^[abcd ]{12}$/);
  for (const [text, next] of [
    ["ab", "c"],
    ["abc", "d"],
    ["abcda", "b"],
  ] as const) {
    await line.fill(text);
    expect(await answer()).toBe(next);
  }
  expect(await p.textContent(".use")).toContain("the model reads 12: before yours stands a row of the data");
  await line.fill("abX<c");
  expect(await p.textContent(".use")).toContain("left out: X <");
  expect(await answer()).toBe("d");
  // what it goes on with stands before what it writes, apart
  const writer = p.locator(".use").nth(1);
  await writer.locator("textarea").fill("X ab");
  await expect.poll(() => writer.locator("output").textContent()).toBe(" abcdabcdabc");
  expect(await writer.locator("output .before").textContent()).toBe(" ab");
  const sampler = p.locator(".use").nth(2);
  const before = await sampler.locator("output").textContent();
  expect(before!.split("\n").length).toBe(6);
  await sampler.locator("button", { hasText: "Run" }).click();
  await p.waitForFunction(
    (was) => document.querySelectorAll(".use")[2]!.querySelector("output")!.textContent !== was,
    before,
  );
  expect(await sampler.locator("output .before").count()).toBe(0);
  await expectAccessible(p);
  await look(p, "text");
  expect(errors).toEqual([]);
  await p.close();
});

test("a function of one number, sequences, tokens, several results, draws of pictures: each as what it is", async () => {
  const { page: p, errors } = await page(
    "kinds",
    `data d {
  rows: 200
  field x: f32[1] = uniform(-2, 2)[1]
  field y: f32[1] = sin(3 * x)
  field picture: f32[8, 8] = for i, j: f32(i == j) + 0.1 * uniform[]
  field wave: f32[32] = for i: sin(0.3 * f32(i) + y[0])
  field letters: i32[5] in 0..6 = randint(0, 6)[5]
}
model line(x: f32[B, 1]) -> f32[B, 1] = x |> Linear(12, act: tanh) |> Linear(1)
model gen(z: f32[B, 6]) -> f32[B, 8, 8] = z |> Linear(64) |> reshape[B, 8, 8]
train fit on d(batch: 20) {
  minimize mse(line(x), y) + 0 * (sum(picture) + sum(wave) + sum(f32(letters))) + 0 * sum(gen(normal[batch, 6])^2) by adam(lr: 0.03)
  steps: 40
}
export fn predict(x: f32[B, 1]) -> f32[B, 1] = line(x)
export fn smoothed(w: f32[B, 32]) -> f32[B, 32] = for b, i: (w[b, i] + (w[b, i - 1] ?? 0) + (w[b, i + 1] ?? 0)) / 3
export fn reversed(l: i32[B, 5] in 0..6) -> i32[B, 5] = for b, i: l[b, 4 - i]
export fn inked(picture: f32[B, 8, 8]) -> (f32[B], f32[B, 8, 8]) = (sum(picture, axis: [1, 2]), 1 - picture)
export fn sample(z: f32[B, 6]) -> f32[B, 8, 8] = gen(z)
export fn gates(a: f32[N], b: f32[N]) -> (f32[N], bool[N]) = (a * b, a > b)`,
  );
  const use = (i: number) => p.locator(".use").nth(i);
  expect(await use(0).locator(".plane").count()).toBe(1);
  expect(await use(1).locator("canvas.series").count()).toBe(2);
  expect(await use(2).locator(".palette button").count()).toBe(6);
  await use(2).locator("textarea").fill("1 2 3 4 5");
  await p.waitForFunction(
    () => document.querySelectorAll(".use")[2]!.querySelector("output")!.textContent === "5 4 3 2 1",
  );
  await use(2).locator(".palette button").first().click();
  await p.waitForFunction(
    () => document.querySelectorAll(".use")[2]!.querySelector("output")!.textContent === "0 5 4 3 2",
  );
  expect(await use(3).locator("canvas.drawing").count()).toBe(1);
  expect(await use(3).locator(".answer").textContent()).toMatch(/^\d+\.\d+$/);
  expect(await use(3).locator("canvas.large").count()).toBe(1);
  // a picture by keyboard: cleared, then a dot
  await use(3).locator("text=Clear").click();
  await p.waitForFunction(
    () => Number(document.querySelectorAll(".use")[3]!.querySelector(".answer")!.textContent) < 5,
  );
  const empty = Number(await use(3).locator(".answer").textContent());
  await use(3).locator("canvas.drawing").focus();
  await p.keyboard.press("ArrowRight");
  await p.keyboard.press("Space");
  await p.waitForFunction(
    (was) => Number(document.querySelectorAll(".use")[3]!.querySelector(".answer")!.textContent) > was + 0.1,
    empty,
  );
  await use(4).scrollIntoViewIfNeeded(); // what is not seen is not asked
  await use(4).locator(".gallery canvas").nth(15).waitFor();
  expect(await use(5).locator(".plane").count()).toBe(1);
  expect(await use(5).locator("select option").allTextContents()).toEqual(["gates.0", "gates.1"]);
  await expectAccessible(p);
  await look(p, "kinds");
  expect(errors).toEqual([]);
  await p.close();
});

test("weights: saved, loaded, shared as a link that holds them; layers as pictures", async () => {
  const { page: p, train, answer, errors } = await page("weights", ring);
  await p.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: address });
  await train(15);
  const point = p.locator(".use").nth(1).locator("input[type=number]");
  const value = async (): Promise<number> => {
    await point.first().fill("0.4");
    await point.nth(1).fill("0.1");
    await answer();
    await p.waitForFunction(() => document.querySelectorAll(".use")[1]!.querySelector(".answer")!.textContent !== "–");
    return Number(await p.locator(".use").nth(1).locator(".answer").textContent());
  };
  const trained = await value();
  const [download] = await Promise.all([p.waitForEvent("download"), p.click("#save")]);
  const file = await download.path();
  await p.click("#share");
  await p.waitForFunction(() => document.getElementById("weights-note")!.textContent!.includes("clipboard"));
  const link = await p.evaluate(() => navigator.clipboard.readText());
  expect(link.length).toBeLessThan(2000);
  await p.click("#reset");
  await p.waitForFunction(() => document.getElementById("start")!.textContent === "Start training");
  expect(Math.abs((await value()) - trained)).toBeGreaterThan(0.01);
  await p.setInputFiles("#load", file);
  await p.waitForFunction(() => document.getElementById("weights-note")!.textContent!.endsWith("loaded"));
  await expect.poll(value, { timeout: 300_000 }).toBeCloseTo(trained, 3);
  await p.click("#layers-details summary");
  await p.waitForSelector("#layers canvas");
  await expectAccessible(p);
  await p.setInputFiles("#load", {
    name: "w.safetensors",
    mimeType: "application/octet-stream",
    buffer: Buffer.from("no"),
  });
  await p.waitForSelector("#problem:not([hidden])");
  expect(await p.textContent("#problem")).toContain("The weights in w.safetensors cannot be taken");
  // beside the page
  const index = join(root, "weights/index.html");
  writeFileSync(join(root, "weights/w.safetensors"), readFileSync(file));
  writeFileSync(index, readFileSync(index, "utf8").replace('data-weights=""', 'data-weights="w.safetensors"'));
  await p.goto(`${address}/weights/index.html`);
  await p.waitForFunction(() => document.getElementById("weights-note")!.textContent!.includes("came with"));
  await expect.poll(value, { timeout: 300_000 }).toBeCloseTo(trained, 3);
  await p.goto("about:blank");
  await p.goto(link);
  await p.waitForFunction(() => document.getElementById("weights-note")!.textContent!.includes("of the link"));
  await p.waitForFunction(() => !document.querySelector(".use:not([data-learned])"));
  await expect.poll(value, { timeout: 300_000 }).toBeCloseTo(trained, 3);
  expect(errors).toEqual([]);
  await p.close();
});

test("what is dropped on the page: weights are taken up, data by their names, and other files are said to be none of the model's", async () => {
  await writePage(
    join(root, "dropped"),
    `data d { field x: f32[2] = csv("in/d.csv", columns: 0..2) }
model net(x: f32[B, 2]) -> f32[B, 1] = x |> Linear(1)
train fit on d(batch: 2) { minimize mean((net(x) - 1)^2) by sgd(lr: 0.1)\n steps: 4 }
export fn predict(x: f32[B, 2]) -> f32[B, 1] = net(x)`,
    { "in/d.csv": "1,2\n3,4\n" },
  );
  const { page: p, errors } = await openPage(browser, `${address}/dropped/index.html`);
  const [saved] = await Promise.all([p.waitForEvent("download"), p.click("#save")]);
  const weights = [...readFileSync(await saved.path())];
  const drop = async (name: string, content: readonly number[]): Promise<void> => {
    await p.evaluate(
      ([called, bytes]) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([new Uint8Array(bytes as number[])], called as string));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      },
      [name, content] as const,
    );
  };
  const problem = (): Promise<string | null> => p.textContent("#problem");
  await drop("mine.safetensors", weights);
  await expect.poll(() => p.textContent("#weights-note")).toBe("mine.safetensors: loaded");
  await drop("cut.safetensors", weights.slice(0, 40));
  await expect.poll(problem).toContain("The weights in cut.safetensors cannot be taken");
  await drop("notes.txt", [1, 2]);
  await expect.poll(problem).toContain("notes.txt is no file of this modelIt reads in/d.csv.");
  expect(await p.isVisible("#files")).toBe(false);
  await drop(
    "d.csv",
    [..."5,6\n7,8\n9,9\n"].map((c) => c.charCodeAt(0)),
  );
  await expect.poll(() => p.textContent("#files")).toContain("given");
  expect(await p.textContent("#files-note")).toBe("Choose them here or drop them on the page; nothing is uploaded.");
  expect(errors).toEqual([]);
  await p.close();
});

test("names of classes, files and models are texts, whatever they say", async () => {
  const evil = `<img src=x onerror="document.title='taken'">`;
  const folder = join(root, "evil");
  await writePage(
    folder,
    `# <b>bold</b> & "quoted" </script><script>document.title = 'taken'</script>
data d {
  field x: f32[2] = csv("d.csv", columns: 0..2)
  field y: i32 in 0..2 = csv("d.csv", column: "kind")
}
model net(x: f32[B, 2]) -> f32[B, 2] = x |> Linear(2)
train fit on d(batch: 2) { minimize cross_entropy(net(x), y) by sgd(lr: 0.1)\n steps: 4 }
export fn predict(x: f32[B, 2]) -> f32[B, 2] = softmax(net(x))`,
    { "d.csv": `a,b,kind\n1,2,"${evil.replaceAll('"', '""')}"\n3,4,plain\n` },
    `<img src=x onerror=alert(1)>.dlm`,
  );
  const { page: p, answer, errors } = await openPage(browser, `${address}/evil/index.html`);
  await answer();
  expect(await p.textContent("h1")).toBe("<img src=x onerror=alert(1)>");
  expect(await p.textContent(".bars")).toContain(evil);
  expect(await p.evaluate(() => [document.images.length, document.title])).toEqual([0, "<img src=x onerror=alert(1)>"]);
  expect(errors).toEqual([]);
  await p.close();
});

test("kernels for the visitor's class of device, which the page shows; a device that is a program is said", async () => {
  const [any, own, card] = (["software", "swiftshader", "discrete"] as const).map(
    (target) => made(ring, { target, views: true }).plan,
  );
  await writeArtifacts([any!, own!, card!], {
    folder: join(root, "classes"),
    data: root,
    parts: await trainerParts(),
  });
  const p = await browser.newPage();
  await p.goto(`${address}/classes/index.html`);
  await p.waitForFunction(() => document.documentElement.dataset["model"] === "loaded");
  const names = await p.$$eval("#kernel option", (options) => options.map((o) => (o as HTMLOptionElement).value));
  expect(names).toEqual(own!.modules.map(({ name }) => name));
  for (const { name, code } of own!.modules.slice(0, 5)) {
    await p.selectOption("#kernel", name, { force: true });
    expect(await p.textContent("#kernel-text")).toBe(code);
  }
  expect(await p.isVisible("#software")).toBe(true);
  await p.close();
});

test("opened as a file, the page says what to do", async () => {
  await writePage(join(root, "file"), ring);
  const p = await browser.newPage();
  await p.goto(pathToFileURL(join(root, "file/index.html")).href);
  expect(await p.isVisible("#as-file")).toBe(true);
  expect(await p.isVisible("#page")).toBe(false);
  expect(await p.textContent("#as-file")).toContain("dlm serve");
  await p.close();
});
