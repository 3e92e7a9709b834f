/** `--signal`: which process it finds, what it sends, and its texts. */
import { beforeEach, describe, expect, test } from "bun:test";
import { sendSignal } from "../../src/cli/signal-command.ts";
import { FakeDisk, FakeSystem } from "../log/fakes.ts";

let system: FakeSystem;
let disk: FakeDisk;
beforeEach(() => {
  system = new FakeSystem();
  disk = new FakeDisk();
  disk.put("pid", "123");
  disk.put("line", "123\n");
  disk.put("empty", "");
  system.alive = [123, 124, 45];
});

/** Runs the command; the error text, or what was sent. */
function outcome(argument: string): string {
  const result = sendSignal({ disk, system }, argument);
  return result.ok ? system.sent.join(", ") : result.text;
}

describe("with a pid", () => {
  test.each([
    ["stop=123", "SIGKILL 123"],
    ["quit=123", "SIGINT 123"],
    ["term=123", "SIGTERM 123"],
    ["reopen=123", "SIGUSR1 123"],
    ["reload=123", "SIGHUP 123"],
    ["ldm=123", "SIGUSR2 123"],
    ["quit=pid", "SIGINT 123"],
    ["quit=line", "invalid pid: 123\n"],
    ["quit=abc", "invalid pid: abc"],
    ["quit= 123", "invalid pid:  123"],
    ["quit=0x10", "invalid pid: 0x10"],
    ["quit=*9", "invalid pid: *9"],
    ["quit=1x*", "invalid pid: 1x"],
    ["quit=99999999999999999999", "invalid pid: 99999999999999999999"],
    ["quit=999999", '\nsignal "quit" 999999: no such process'],
    ["foo=123", 'unknown signal "foo"'],
    ["foo=abc", "invalid pid: abc"],
    ["=123", 'unknown signal ""'],
    ["a=b=c", "invalid signal parameters: [c]"],
    ["a=b=c=d", "invalid signal parameters: [c d]"],
  ])("%s", (argument, expected) => {
    expect(outcome(argument)).toBe(expected);
  });
});

describe("among the servers that run", () => {
  const running = (...pids: number[]): void => {
    system.pgrep = { exitCode: 0, stdout: pids.map((pid) => `${pid}\n`).join("") };
  };

  test.each(["quit", "quit=", "quit=*", "quit=9*", "foo", "quit=empty"])("%s finds none", (argument) => {
    expect(outcome(argument)).toBe("no nats-server processes running");
  });

  test("leaves itself out", () => {
    running(7);
    expect(outcome("quit")).toBe("no nats-server processes running");
  });

  test("takes the only one", () => {
    running(123, 7);
    expect(outcome("reload")).toBe("SIGHUP 123");
  });

  test("does not choose among several", () => {
    running(123, 124);
    expect(outcome("reload")).toBe("multiple nats-server processes running:\n123\n124");
  });

  test("takes all that a pattern fits, and those only", () => {
    running(123, 124, 45);
    expect(outcome("quit=12*")).toBe("SIGINT 123, SIGINT 124");
  });

  test("a pattern that fits none does nothing, and that is no error", () => {
    running(123);
    expect(outcome("quit=9*")).toBe("");
  });

  test("tells every failure and goes on", () => {
    running(88, 123, 89);
    const text = '\nsignal "quit" 88: no such process\nsignal "quit" 89: no such process';
    expect(outcome("quit=*")).toBe(text);
    expect(system.sent).toEqual(["SIGINT 123"]);
  });

  test("cannot look without pgrep, or when it answers nonsense", () => {
    system.pgrep = undefined;
    expect(outcome("quit")).toBe("unable to resolve pid, try providing one");
    system.pgrep = { exitCode: 0, stdout: "what\n" };
    expect(outcome("quit")).toBe("unable to resolve pid, try providing one");
  });
});
