/** `permissions {}` of users, accounts and links: allow and deny lists for publish and subscribe, and leave to answer requests. */
import { goQuote } from "../../util/quote.ts";
import { msOfNs, parseDuration } from "../../util/duration.ts";
import type { PermissionOptions, SubjectPermissionOptions } from "../options.ts";
import { isQueueName, isSubject } from "../subjects.ts";
import { formatPosition, type Node, plainText, type Position, typeName } from "../values.ts";
import { type AnyOption, type Entry, type Form, option, readBlock, type Reading } from "./form.ts";
import { integer } from "./forms.ts";

/** How many responses and for how long, when `allow_responses` does not say. */
const DEFAULT_RESPONSES = { maxMessages: 1, expiresMs: 120_000 } as const;

/** Subjects that are wrong in a plain string or list are reported without a place. */
type Where = Position | undefined;

function report(reading: Reading, where: Where, problem: string): void {
  reading.errors.push(where === undefined ? problem : `${formatPosition(where)}: ${problem}`);
}

function subjectList(node: Node, reading: Reading, queues: boolean, where: Where): readonly string[] | undefined {
  const { value } = node;
  if (value.kind !== "string" && value.kind !== "array") {
    report(reading, where, `Expected subject permissions to be a subject, or array of subjects, got ${typeName(value)}`);
    return undefined;
  }
  const subjects: string[] = [];
  for (const item of value.kind === "array" ? value.items : [node]) {
    if (item.value.kind !== "string") {
      reading.error(item.position, "Subject in permissions array cannot be cast to string");
      return undefined;
    }
    subjects.push(item.value.text);
  }
  for (const subject of subjects) {
    const problem = subjectProblem(subject, queues);
    if (problem === undefined) continue;
    report(reading, where, problem);
    return undefined;
  }
  return subjects;
}

/** What is wrong with an entry of a permission list; `queues` allows `subject queue`. */
export function subjectProblem(entry: string, queues: boolean): string | undefined {
  const fields = queues ? entry.split(/\s+/).filter((field) => field !== "") : [entry];
  if (fields.length < 1 || fields.length > 2) return `subject ${goQuote(entry)} is not a valid subject`;
  const [subject, queue] = fields;
  if (!isSubject(subject)) return `subject ${goQuote(subject)} is not a valid subject`;
  return queue === undefined || isQueueName(queue) ? undefined : `queue ${goQuote(queue)} is not a valid queue`;
}

function subjectPermission(queues: boolean): Form<SubjectPermissionOptions> {
  return {
    label: "subject, list of subjects (allowed), or `{allow, deny}`",
    read({ node }, reading) {
      if (node.value.kind !== "map") {
        const allow = subjectList(node, reading, queues, undefined);
        return allow === undefined ? undefined : { allow };
      }
      const lists: { allow?: readonly string[]; deny?: readonly string[] } = {};
      for (const [key, entry] of node.value.entries) {
        const name = key.toLowerCase();
        if (name === "allow" || name === "deny") {
          const subjects = subjectList(entry, reading, queues, entry.position);
          if (subjects !== undefined && subjects.length > 0) lists[name] = subjects;
        } else if (!entry.used) {
          reading.error(entry.position, `Unknown field name ${goQuote(key)} parsing subject permissions, only 'allow' or 'deny' are permitted`);
        }
      }
      return lists;
    },
  };
}

const expires: Form<number> = {
  label: "duration string",
  read({ node }, reading) {
    if (node.value.kind !== "string") {
      reading.error(node.position, "error parsing expires, not a duration string");
      return undefined;
    }
    const parsed = parseDuration(node.value.text);
    if (parsed.ok) return msOfNs(parsed.ns);
    reading.error(node.position, `error parsing expires: ${parsed.error}`);
    return undefined;
  },
};

const unknownPermission = { text: (key: string) => `Unknown field ${goQuote(key)} parsing permissions`, exceptUsed: true };

export const responsesBlock = {
  max: option(integer, "Responses to one request; negative is unlimited.", { aliases: ["max_msgs", "max_messages", "max_responses"], default: "1" }),
  expires: option(expires, "How long responses may follow; negative is unlimited.", { aliases: ["expiration", "ttl"], default: "2m" }),
} satisfies Record<string, AnyOption>;

const responses: Form<{ maxMessages: number; expiresMs: number } | false> = {
  label: "boolean or block",
  read({ node }, reading) {
    const { value } = node;
    if (value.kind === "boolean") return value.boolean ? DEFAULT_RESPONSES : false;
    if (value.kind !== "map") {
      reading.error(node.position, "error parsing response permissions, expected a boolean or a map");
      return undefined;
    }
    const { values } = readBlock(responsesBlock, value, reading, unknownPermission);
    return { maxMessages: values.max || DEFAULT_RESPONSES.maxMessages, expiresMs: values.expires || DEFAULT_RESPONSES.expiresMs };
  },
};

export const permissionsBlock = {
  publish: option(subjectPermission(false), "Subjects that may be published to.", { aliases: ["pub", "import"] }),
  subscribe: option(subjectPermission(true), "Subjects that may be subscribed to; an entry may be `subject queue`.", { aliases: ["sub", "export"] }),
  allow_responses: option(responses, "Lets a service answer the reply subjects it receives.", { aliases: ["publish_allow_responses"] }),
} satisfies Record<string, AnyOption>;

function isEmpty(permission: SubjectPermissionOptions | undefined): boolean {
  return permission === undefined || (permission.allow === undefined && permission.deny === undefined);
}

export const permissions: Form<PermissionOptions> = {
  label: "block",
  read({ node }: Entry, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, `Expected permissions to be a map/struct, got ${plainText(node.value)}`);
      return undefined;
    }
    const { values } = readBlock(permissionsBlock, node.value, reading, unknownPermission);
    const allowResponses = values.allow_responses === false ? undefined : values.allow_responses;
    let publish = isEmpty(values.publish) ? undefined : values.publish;
    // Who may answer requests and has no list of its own may publish nothing else.
    if (allowResponses !== undefined && publish?.allow === undefined) publish = { ...publish, allow: [] };
    return {
      ...(publish === undefined ? {} : { publish }),
      ...(isEmpty(values.subscribe) ? {} : { subscribe: values.subscribe }),
      ...(allowResponses === undefined ? {} : { allowResponses }),
    };
  },
};

