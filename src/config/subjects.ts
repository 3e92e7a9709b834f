/** Whether subjects, queue names and mapping destinations in a configuration are well formed. Text only; how subjects match is routing's. */

/** A subject, wildcards allowed: no empty token, no white space, `>` only at the end. */
export function isSubject(subject: string): boolean {
  if (subject === "" || /[ \t\n\r\f]/.test(subject)) return false;
  const tokens = subject.split(".");
  return tokens.every((token, index) => token !== "" && (token !== ">" || index === tokens.length - 1));
}

/** A subject without wildcard tokens. */
export function isLiteralSubject(subject: string): boolean {
  return isSubject(subject) && subject.split(".").every((token) => token !== "*" && token !== ">");
}

export function isQueueName(queue: string): boolean {
  return isSubject(queue) || (queue !== "" && !/[ \t\n\r\f]/.test(queue) && !queue.startsWith(".") && !queue.endsWith(".") && !queue.includes(".."));
}

/** Functions of a mapping destination to their count of wildcard arguments and other arguments (minimum, maximum). */
interface MappingFunction {
  readonly wildcards: "first" | "rest" | "none";
  readonly arguments: readonly [number, number];
}

const FUNCTIONS: ReadonlyMap<string, MappingFunction> = new Map([
  ["wildcard", { wildcards: "first", arguments: [1, 1] }],
  ["partition", { wildcards: "rest", arguments: [1, Number.POSITIVE_INFINITY] }],
  ["random", { wildcards: "none", arguments: [1, 1] }],
  ["splitfromleft", { wildcards: "first", arguments: [2, 2] }],
  ["splitfromright", { wildcards: "first", arguments: [2, 2] }],
  ["slicefromleft", { wildcards: "first", arguments: [2, 2] }],
  ["slicefromright", { wildcards: "first", arguments: [2, 2] }],
  ["split", { wildcards: "first", arguments: [2, 2] }],
  ["left", { wildcards: "first", arguments: [2, 2] }],
  ["right", { wildcards: "first", arguments: [2, 2] }],
]);

/** What is wrong with the destination of a mapping of `source`; undefined when nothing is. */
export function mappingProblem(source: string, destination: string): string | undefined {
  if (!isSubject(source)) return "invalid subject";
  if (destination.split(".").some((token) => token === "")) return "invalid mapping destination: invalid transform";
  const wildcards = source.split(".").filter((token) => token === "*").length;
  for (const token of splitTokens(destination)) {
    const problem = tokenProblem(token, wildcards);
    if (problem !== undefined) return `invalid mapping destination: ${problem}`;
  }
  if (/[ \t\n\r\f]/.test(destination.replace(/\{\{.*?\}\}/g, ""))) return "invalid mapping destination: invalid transform";
  const tokens = destination.split(".");
  if (tokens.slice(0, -1).includes(">")) return "invalid mapping destination: invalid transform";
  if (tokens.includes("*") || source.endsWith(">") !== destination.endsWith(">")) return "invalid subject";
  return undefined;
}

function splitTokens(destination: string): string[] {
  return destination.match(/\{\{.*?\}\}|[^.]+/g) ?? [];
}

function tokenProblem(token: string, wildcards: number): string | undefined {
  const short = /^\$(\d+)$/.exec(token);
  if (short !== null) return indexProblem(token, Number(short[1]), wildcards);
  const call = /^\{\{\s*([^\s(]*)\s*\(([^)]*)\)\s*\}\}$/.exec(token);
  if (call === null) return token.startsWith("{{") ? `unknown function in ${token}` : undefined;
  const known = FUNCTIONS.get(call[1].toLowerCase());
  if (known === undefined) return `unknown function in ${token}`;
  const args = call[2].split(",").map((each) => each.trim());
  const [least, most] = known.arguments;
  if (args[0] === "" || args.length < least) return `function did not receive enough arguments in ${token}`;
  if (args.length > most) return `function received too many arguments in ${token}`;
  const indexes = known.wildcards === "first" ? args.slice(0, 1) : known.wildcards === "rest" ? args.slice(1) : [];
  const numbers = call[1].toLowerCase() === "split" ? args.slice(0, 1) : args;
  if (numbers.some((each) => !/^\d+$/.test(each))) return `function argument is invalid or in the wrong format in ${token}`;
  for (const index of indexes) {
    const problem = indexProblem(token, Number(index), wildcards);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function indexProblem(token: string, index: number, wildcards: number): string | undefined {
  if (index >= 1 && index <= wildcards) return undefined;
  return `wildcard index out of range in ${token}${wildcards === 0 ? "" : `: [${index}]`}`;
}
