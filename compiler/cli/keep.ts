// How `dlm train` tells the way to go on from what a run kept.
/** The command line again, going on from the checkpoint. */
export function resumeLine(args: readonly string[], checkpoint: string): string {
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (/^--(resume|stop-after)=/.test(args[i]!)) continue;
    if (/^--(resume|stop-after)$/.test(args[i]!)) i++;
    else kept.push(args[i]!);
  }
  return ["dlm", ...kept, "--resume", checkpoint]
    .map((a) => (/^[\w@%+=:,./-]+$/.test(a) ? a : `'${a.replaceAll("'", `'\\''`)}'`))
    .join(" ");
}
