/**
 * `${...}` in transcripts: values that only exist at run time (folders, ports, captured text) and keys and signatures
 * that would be noise written out. README.md lists them.
 */

import { certificateFolder, publicKeyPin } from '../support/certificates.ts';
import { accountToken, activationToken, forged, genericToken, keyNamed, oldToken, operatorToken, userToken } from '../support/jwt.ts';
import { nkeyFromSeed, nkeyNamed, type Nkey } from '../support/nkeys.ts';
import type { Captures } from './pattern.ts';

/** What macros may refer to. A missing value leaves its macro as it is (the server's own folder is known later). */
export interface MacroScope {
  readonly captures: Captures;
  readonly values: Readonly<Record<string, string | undefined>>;
  /** The nonce of the INFO that the connection got. */
  readonly nonce?: string;
  /** That of another connection. */
  nonceOf(peer: string): string | undefined;
}

function userKey(name: string): Nkey {
  return /^S[A-Z2-7]{57}$/.test(name) ? nkeyFromSeed(name) : nkeyNamed('user', name);
}

/** `NAME` signs the nonce of the connection itself, `NAME of PEER` that of another one. */
function signature(argument: string, scope: MacroScope): Buffer {
  const [name, other] = argument.split(' of ');
  const nonce = other === undefined ? scope.nonce : scope.nonceOf(other);
  return userKey(name).sign(nonce ?? '');
}

function call(name: string, argument: string, scope: MacroScope): string | undefined {
  switch (name) {
    case 'user': return userKey(argument).publicKey;
    case 'seed': return userKey(argument).seed;
    case 'operator': return nkeyNamed('operator', argument).publicKey;
    case 'jwt': return token(argument);
    case 'old': return token(argument, true);
    case 'forged': return forged(token(argument));
    case 'account': return nkeyNamed('account', argument).publicKey;
    case 'sign': return signature(argument, scope).toString('base64url');
    case 'sign64': return signature(argument, scope).toString('base64');
    case 'pin': return publicKeyPin(certificateFolder(), argument);
    default: return undefined;
  }
}

/**
 * The token of `operator NAME`, `account NAME by OPERATOR`, `user NAME by ACCOUNT` or `activation IMPORTER by EXPORTER`, with a JSON object behind it: times, tags
 * and the like of every claim, and the claim's own fields. `@account:NAME` (or another kind) in it is a public key, `"@now+5"` seconds since the Unix epoch,
 * `"@clock+5"` the time of day, UTC. `isOld`: of version 1.
 */
function token(argument: string, isOld = false): string {
  const match = /^(operator|account|user|activation|generic) (\S+?)(?: by (\S+))?(?: (\{.*\}))?$/s.exec(argument);
  if (match === null) throw new Error(`not a token: ${argument}`);
  const [, type, name, issuer = name, json = '{}'] = match;
  const timed = json.replace(/"@now([+-]\d+)?"/g, (_, offset: string | undefined) => String(Math.floor(Date.now() / 1000) + Number(offset ?? 0)));
  const clocked = timed.replace(/"@clock([+-]\d+)"/g, (_, offset: string) => `"${new Date(Date.now() + Number(offset) * 1000).toISOString().slice(11, 19)}"`);
  const keys = clocked.replace(/@(operator|account|user):(\w+)/g, (_, kind: 'operator' | 'account' | 'user', of: string) => nkeyNamed(kind, of).publicKey);
  const { aud, exp, nbf, iat, tags, ...nats } = JSON.parse(keys) as Record<string, never>;
  const extra = Object.fromEntries(Object.entries({ aud, exp, nbf, iat, tags }).filter(([, value]) => value !== undefined));
  if (isOld) return oldToken(type ?? '', keyNamed(type === 'activation' ? 'account' : (type as 'operator' | 'account' | 'user'), name), keyNamed(type === 'operator' || type === 'account' ? 'operator' : 'account', issuer), nats, extra);
  if (type === 'operator') return operatorToken(keyNamed('operator', name), nats, extra);
  if (type === 'account') return accountToken(keyNamed('account', name), keyNamed('operator', issuer), nats, extra);
  if (type === 'generic') return genericToken(keyNamed('operator', name), keyNamed('operator', issuer), nats, extra);
  if (type === 'activation') return activationToken(keyNamed('account', name), keyNamed('account', issuer), nats, extra);
  return userToken(keyNamed('user', name), keyNamed('account', issuer), nats, extra);
}

/** Resolves `${repeat(text,N)}`, the innermost first. */
function repeatAll(text: string): string {
  const innermost = /\$\{repeat\(((?:(?!\$\{repeat).)*?),\s*(\d+)\)\}/gs;
  let result = text;
  while (result.includes('${repeat(')) {
    const next = result.replace(innermost, (_, part: string, count: string) => part.repeat(Number(count)));
    if (next === result) throw new Error('a repeat without its count');
    result = next;
  }
  return result;
}

/** Replaces every macro in `text`. Throws on an unknown function or name. */
export function expandMacros(text: string, scope: MacroScope): string {
  const inner = /\$\{(\w+)(?:\(((?:"(?:(?!\$\{)[^"])*"|(?!\$\{)[^)"])*)\))?\}/g;
  const expand = (whole: string, name: string, argument: string | undefined): string => {
    if (name === 'dir' && scope.values['dir'] === undefined) return whole;
    if (name === 'certs') return certificateFolder();
    const value = argument === undefined ? (scope.values[name] ?? scope.captures.get(name)) : call(name, argument, scope);
    if (value === undefined) throw new Error(`unknown macro ${whole}`);
    return value;
  };
  let result = repeatAll(text);
  for (;;) {
    const next = result.replace(inner, expand);
    if (next === result) return next;
    result = next;
  }
}
