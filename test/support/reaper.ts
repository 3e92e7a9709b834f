/**
 * Cleans up after the test process, however it ends: a small shell that waits for the end of its standard input, which
 * comes when this process is gone, also killed. Then it kills the processes and removes the folders it was told of.
 * An exit handler would not do: `bun test` does not run them, and a kill never does.
 */

const SCRIPT = `
pids=' '
while IFS=' ' read -r what value; do
  case $what in
    folder) set -- "$@" "$value" ;;
    process) pids="$pids$value " ;;
    ended) case $pids in *" $value "*) pids="\${pids%%" $value "*} \${pids#*" $value "}" ;; esac ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for folder in "$@"; do rm -rf -- "$folder"; done
`;

let shell: Bun.Subprocess<'pipe', 'ignore', 'ignore'> | undefined;

/** Tells the reaper of a folder to remove or a process to kill in the end, or that a process has ended by itself. */
export function tellReaper(what: 'folder' | 'process' | 'ended', value: string | number): void {
  // A test that times out costs the shell its life, too: then there is a new one.
  if (shell === undefined || shell.exitCode !== null || shell.signalCode !== null) {
    shell = Bun.spawn(['sh', '-c', SCRIPT], { stdin: 'pipe', stdout: 'ignore', stderr: 'ignore', detached: true });
    shell.unref();
  }
  shell.stdin.write(`${what} ${value}\n`);
  void shell.stdin.flush();
}
