/**
 * What a client's certificate says of who it is: the names by which `verify_and_map` looks for a user, in their order. Spec: accounts and
 * authentication, section 1.9.
 */
import { objectIdentifier, readElement, readElements } from "./der.ts";
import { domainComponents, equalNames, isExpressible, nameText, parseDerName, parseTextName, type RelativeName, samePartsOfNames } from "./distinguishedname.ts";

export interface CertificateNames {
  readonly emails: readonly string[];
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  /** Relative names of the subject, in encoded order. */
  readonly subject: readonly RelativeName[];
}

const VERSION_TAG = 0xa0;
const EXTENSIONS_TAG = 0xa3;
const SUBJECT_ALT_NAME = "2.5.29.17";
/** Context tags of a GeneralName. */
const EMAIL_TAG = 0x81;
const DNS_TAG = 0x82;
const URI_TAG = 0x86;

/** Reads the names of a DER certificate; undefined when it is malformed. */
export function certificateNames(der: Uint8Array): CertificateNames | undefined {
  const certificate = readElement(Buffer.from(der));
  const body = certificate === undefined ? undefined : readElement(certificate.element.content);
  const fields = body === undefined ? undefined : readElements(body.element.content);
  if (fields === undefined) return undefined;
  // version (optional), serial, algorithm, issuer, validity, subject, ...
  const subjectAt = fields[0]?.tag === VERSION_TAG ? 5 : 4;
  const subjectField = fields[subjectAt];
  const subject = subjectField === undefined ? undefined : parseDerName(subjectField.content);
  if (subject === undefined) return undefined;
  const alternatives = alternativeNames(fields.find((field) => field.tag === EXTENSIONS_TAG)?.content);
  return {
    emails: alternatives.filter((name) => name.tag === EMAIL_TAG).map((name) => name.text),
    dnsNames: alternatives.filter((name) => name.tag === DNS_TAG).map((name) => name.text),
    uris: alternatives.filter((name) => name.tag === URI_TAG).map((name) => name.text),
    subject,
  };
}

function alternativeNames(extensions: Buffer | undefined): readonly { readonly tag: number; readonly text: string }[] {
  const list = extensions === undefined ? undefined : readElement(extensions);
  for (const extension of (list === undefined ? undefined : readElements(list.element.content)) ?? []) {
    const parts = readElements(extension.content) ?? [];
    const value = parts.at(-1);
    if (parts[0] === undefined || value === undefined || objectIdentifier(parts[0].content) !== SUBJECT_ALT_NAME) continue;
    const names = readElement(value.content);
    return ((names === undefined ? undefined : readElements(names.element.content)) ?? []).map((name) => ({ tag: name.tag, text: name.content.toString("latin1") }));
  }
  return [];
}

/** How a user was found, for the debug log. */
export interface CertificateMatch {
  readonly user: string;
  readonly log: string;
}

/**
 * The first user that the certificate names. `isUser` says whether a name is a user that may use this kind of connection; `userNames` are
 * all of those, for matching distinguished names.
 */
export function matchCertificate(names: CertificateNames, isUser: (name: string) => boolean, userNames: Iterable<string>): CertificateMatch | undefined {
  for (const email of names.emails) if (isUser(email)) return { user: email, log: `Using email found in cert for auth ["${email}"]` };
  for (const name of names.dnsNames) if (isUser(name)) return { user: name, log: `Using SAN found in cert for auth ["${name}"]` };
  for (const uri of names.uris) if (isUser(uri)) return { user: uri, log: `Using URI found in cert for auth ["${uri}"]` };
  if (names.subject.length === 0) return undefined;
  const named = matchDistinguishedName(names.subject, userNames);
  if (named !== undefined) return { user: named, log: `Using DistinguishedNameMatch for auth ["${named}"]` };
  const text = nameText(names.subject);
  const domain = domainComponents(names.subject);
  if (domain !== "") {
    const full = `${text},${domain}`;
    if (isUser(full)) return { user: full, log: `Using RDNSequence for auth ["${full}"]` };
  }
  return isUser(text) ? { user: text, log: `Using certificate subject for auth ["${text}"]` } : undefined;
}

function matchDistinguishedName(subject: readonly RelativeName[], userNames: Iterable<string>): string | undefined {
  if (!isExpressible(subject)) return undefined;
  const specificFirst = [...subject].reverse();
  const candidates = [...userNames].flatMap((user) => {
    const names = parseTextName(user);
    return names === undefined ? [] : [{ user, names }];
  });
  return (candidates.find((candidate) => equalNames(candidate.names, specificFirst)) ?? candidates.find((candidate) => samePartsOfNames(candidate.names, specificFirst)))?.user;
}
