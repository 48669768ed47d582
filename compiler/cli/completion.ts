// dlm completion: what a shell offers behind `dlm`, from the commands and options as they are declared.
// In: the program, the name of a shell.   Out: a script for it. Files are offered wherever no word of a list is expected.
import type { Command } from "commander";
import { explanations } from "../explain.ts";
import { dataSets } from "./data-sets.ts";
import { templates } from "./init.ts";
import { targets } from "../kernel/target.ts";
import { nearest, stages } from "./options.ts";
import { UsageError } from "./problem.ts";

/** One command: its options, and what may stand where no option does. */
interface Entry {
  readonly name: string;
  readonly about: string;
  readonly words: readonly string[]; // instead of files
  readonly options: readonly OptionEntry[];
}
interface OptionEntry {
  readonly flag: string; // "--device"
  readonly about: string;
  readonly takes: "nothing" | "file" | readonly string[]; // a list may be empty: a value that nobody can guess
}
const shells: Readonly<Record<string, (entries: readonly Entry[]) => string>> = { bash, zsh, fish };

export function completion(program: Command, shell: string): void {
  const script = shells[shell];
  if (!script)
    throw new UsageError(
      `there is no script for ${shell}; there are ${Object.keys(shells).join(", ")}${nearest(shell, Object.keys(shells))}`,
    );
  process.stdout.write(script(program.commands.map(entryOf)));
}

/** Values of options and arguments that are known, by what help calls them. */
const known: Readonly<Record<string, () => readonly string[]>> = {
  "--stage": () => Object.keys(stages),
  "--target": () => Object.keys(targets),
  "--device": () => ["auto", "gpu", "system", "embedded"],
  "--split": () => ["train", "valid", "test"],
  "--mode": () => ["min", "max"],
  code: () => Object.keys(explanations),
  shell: () => Object.keys(shells),
  template: () => Object.keys(templates()),
  "fetch name": () => Object.keys(dataSets),
};
function entryOf(command: Command): Entry {
  return {
    name: command.name(),
    about: command.description(),
    words: command.registeredArguments.flatMap(
      (argument) => (known[argument.name()] ?? known[`${command.name()} ${argument.name()}`])?.() ?? [],
    ),
    options: [
      ...command.options.map((option) => ({
        flag: option.long ?? option.short ?? "",
        about: option.description,
        takes: !option.required ? ("nothing" as const) : (known[option.long ?? ""]?.() ?? valueOf(option.flags)),
      })),
      { flag: "--help", about: "what the command does, with examples", takes: "nothing" as const },
    ],
  };
}
const valueOf = (flags: string): "file" | readonly [] =>
  /<(file|folder|name=value|checkpoint|sweep)>/.test(flags) ? "file" : [];

// ---- scripts

function bash(entries: readonly Entry[]): string {
  const cases = entries.map(
    ({ name, options, words }) => `    ${name}) flags=${list(options.map((o) => o.flag))}; words=${list(words)} ;;`,
  );
  const values = new Map(
    entries.flatMap(({ options }) =>
      options.flatMap((o) => (o.takes === "nothing" ? [] : [[o.flag, o.takes] as const])),
    ),
  );
  return `# Completion of dlm for bash: source this file.
_dlm_files() { # their names may have spaces in them
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$1"))
}
_dlm() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} flags= words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${list([...entries.map((e) => e.name), "--help", "--version"])} -- "$word"))
    return
  fi
  case $before in
${[...values].map(([flag, takes]) => `    ${flag}) ${takes === "file" ? `_dlm_files "$word"` : `COMPREPLY=($(compgen -W ${list(takes)} -- "$word"))`}; return ;;`).join("\n")}
  esac
  case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac
  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$word"))
  elif [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word"))
  else _dlm_files "$word"; fi
}
complete -o filenames -F _dlm dlm
`;
}
function zsh(entries: readonly Entry[]): string {
  return `# Completion of dlm for zsh: source this file.
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${bash(entries).replace(/^#.*\n/, "")}`;
}

function fish(entries: readonly Entry[]): string {
  const lines = entries.flatMap(({ name, about, options, words }) => {
    const within = `complete -c dlm -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c dlm -n __fish_use_subcommand -f -a ${name} -d ${single(about)}`,
      ...(words.length ? [`${within} -f -a ${list(words)}`] : []),
      ...options.map(({ flag, about: text, takes }) => {
        const value = takes === "nothing" ? "" : takes === "file" ? " -r -F" : ` -x -a ${list(takes)}`;
        return `${within} -l ${flag.replace(/^--/, "")}${value} -d ${single(text)}`;
      }),
    ];
  });
  return `# Completion of dlm for fish.\n${lines.join("\n")}\n`;
}
const list = (words: readonly string[]): string => `"${words.join(" ")}"`;
const single = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;
