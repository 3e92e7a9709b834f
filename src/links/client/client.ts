/**
 * A client connection: operations in, deliveries out. The file is the life of the connection and its operations; encoding a delivery is in `encode.ts`,
 * pings in `heartbeat.ts`, waiting for slow consumers in `backpressure.ts`, logs in `protocollog.ts`, message tracing in `trace.ts`. How a connection gets here (PROXY header, TLS, WebSocket) is decided
 * by whoever accepted it, with `sendInitialInfo`, `adoptStream` and `begin`.
 *
 * Spec: client protocol; the numbers in comments are its sections.
 */
import type { Account } from "../../accounts/index.ts";
import { type AuthResult, type Identity, Permissions } from "../../auth/index.ts";
import type { ConnectionType, PermissionOptions } from "../../config/options.ts";
import type { Stream, StreamError, StreamHandler, Timer, TlsState } from "../../platform/index.ts";
import type { CloseReason } from "../../protocol/closereason.ts";
import { type ConnectOptions, defaultConnectOptions, parseConnect } from "../../protocol/connect.ts";
import { encodeInfo, type ServerInfo } from "../../protocol/info.ts";
import { FirstOperation, type OperationHandler, ParseError, Parser } from "../../protocol/parser.ts";
import type { SubjectEntry } from "../../routing/interest.ts";
import type { Message } from "../../routing/message.ts";
import { isValidLiteralSubject, isValidSubject, tokenCount } from "../../routing/subject.ts";
import { Delivery, type Subscriber, Subscription } from "../../routing/subscription.ts";
import { fromByteString } from "../../util/bytes.ts";
import { goQuote } from "../../util/quote.ts";
import { distribute } from "../distribute.ts";
import type { LinkHost } from "../host.ts";
import { Outbound, type OutboundOwner } from "../outbound.ts";
import { Backpressure, stallThreshold } from "./backpressure.ts";
import { encodeDelivery } from "./encode.ts";
import { Heartbeat } from "./heartbeat.ts";
import { redactConnect } from "./label.ts";
import { noRespondersMessage } from "./noresponders.ts";
import { ProtocolLog, quoteBytes } from "./protocollog.ts";
import { destinationViolation, judgeTrace, mayBeTraced, type MessageTracer } from "./trace.ts";

/** How long a closing connection may take to send its last bytes. */
const CLOSE_FLUSH_MS = 100;

export type ClientKind = "nats" | "websocket";

export class ClientLink implements Subscriber, OperationHandler, StreamHandler, OutboundOwner {
  readonly id: number;
  readonly startedAtNs: bigint;
  readonly heartbeat: Heartbeat;
  readonly backpressure: Backpressure;
  readonly logged: ProtocolLog;
  readonly outbound: Outbound;

  /** Address of the peer, or the one a PROXY header named. */
  remoteAddress: string;
  remotePort: number;
  /** Address that a trusted-looking forwarding header named, for the log label only. */
  forwardedFor = "";

  account: Account;
  identity: Identity | undefined = undefined;
  permissions: Permissions | null = null;
  connect: ConnectOptions = defaultConnectOptions();
  /** Credentials found in cookies; they fill what CONNECT leaves out. */
  cookies: Partial<Pick<ConnectOptions, "jwt" | "user" | "pass" | "auth_token">> | undefined = undefined;
  tls: TlsState | undefined = undefined;
  tlsFirst = false;
  nonce = "";
  connectReceived = false;
  /** The first PONG was sent: from now on INFO may be sent at any time. */
  firstPongSent = false;

  readonly subscriptions = new Map<string, Subscription>();
  inMsgs = 0;
  inBytes = 0;
  outMsgs = 0;
  outBytes = 0;
  stalls = 0;
  lastActivityMs: number;

  closeReason: CloseReason | undefined = undefined;
  closedAtNs = 0n;
  /** Pending bytes when it closed, for the record. */
  pendingAtClose = 0;

  #stream: Stream;
  readonly #parser: Parser;
  #authTimer: Timer | undefined = undefined;
  #headers = false;
  /** Hot flags, refreshed when what they depend on changes. */
  #checksPublish = false;
  #verbose = true;
  #echo = true;
  #begun = false;
  #finishing = false;
  /** SUB and UNSUB seen; with `inMsgs` this tells whether a read was activity (PING is not). */
  #subscriptionChanges = 0;
  #registered = false;

  constructor(
    readonly host: LinkHost,
    readonly kind: ClientKind,
    stream: Stream,
  ) {
    this.id = host.nextClientId();
    this.startedAtNs = host.clock.nowNs();
    this.lastActivityMs = host.clock.nowMs();
    this.remoteAddress = stream.remoteAddress;
    this.remotePort = stream.remotePort;
    this.account = host.globalAccount;
    this.#stream = stream;
    this.outbound = new Outbound(stream, host.turn, this, () => host.clock.monotonicMs());
    this.#parser = new Parser(this, host.message, host.settings.maxControlLine, host.settings.maxPayload);
    this.heartbeat = new Heartbeat(this);
    this.backpressure = new Backpressure(this);
    this.logged = new ProtocolLog(this);
    stream.handler = this;
  }

  // Life

  get connectionType(): ConnectionType {
    return this.kind === "websocket" ? "WEBSOCKET" : "STANDARD";
  }

  get isClosed(): boolean {
    return this.closeReason !== undefined;
  }

  /** Whether the client takes headers. */
  get takesHeaders(): boolean {
    return this.#headers;
  }

  get traced(): boolean {
    return this.host.settings.trace;
  }

  /** Enters the connection in the server's table. Called once, before anything is sent. */
  open(): void {
    this.#registered = true;
    this.host.onLinkOpened(this);
    this.logged.debug("Client connection created");
    if (this.host.authenticator.nonceRequired) this.nonce = Buffer.from(this.host.random.bytes(11)).toString("base64url");
  }

  /** The first INFO. `overrides` state what holds for this connection only (TLS decided on the way, PROXY header still to come). */
  sendInitialInfo(overrides: Partial<ServerInfo> = {}): void {
    this.#sendInfo({ nonce: this.nonce, ...overrides });
  }

  /** Goes on over another stream (TLS on top of the old one). */
  adoptStream(stream: Stream): void {
    this.#stream = stream;
    this.outbound.stream = stream;
    stream.handler = this;
  }

  /** Starts parsing and the timers. `initial` are bytes that were read while the transport was being decided. */
  begin(initial?: Buffer): void {
    if (this.isClosed) return;
    this.#begun = true;
    const authenticator = this.host.authenticator;
    if (authenticator.required(this.connectionType)) {
      this.#parser.expectConnect = true;
      this.startAuthTimer();
    }
    this.heartbeat.start();
    if (initial !== undefined && initial.length > 0) this.onData(initial);
  }

  startAuthTimer(): void {
    const timeoutMs = this.host.authenticator.timeoutMs(this.connectionType);
    this.#authTimer = this.host.clock.after(timeoutMs, () => {
      if (this.connectReceived) return;
      this.logged.error("Authentication Timeout");
      this.closeWithError("Authentication Timeout", "Authentication Timeout");
    });
  }

  /** Refuses the connection when there are too many; the client has seen INFO by then. */
  refusedAsSurplus(): boolean {
    const { maxConnections } = this.host.accepting;
    if (maxConnections >= 0 && this.host.clientCount <= maxConnections) return false;
    this.logged.error("maximum connections exceeded");
    this.closeWithError("maximum connections exceeded", "Maximum Connections Exceeded");
    return true;
  }

  /** Largest message this connection may publish, bytes; negative means no limit. */
  get maxPayload(): number {
    return this.#effectiveMaxPayload();
  }

  /** New limits hold at once; the rest of a reload is told by `applyIdentity`. */
  refreshSettings(): void {
    const settings = this.host.settings;
    this.#parser.maxControlLine = settings.maxControlLine;
    this.#parser.maxPayload = this.#effectiveMaxPayload();
  }

  /** Sends -ERR with `text`, then closes once it is out. */
  closeWithError(text: string, reason: CloseReason): void {
    if (this.isClosed) return;
    this.sendError(text);
    this.close(reason);
  }

  /** Closes after what is pending has been sent (at most `CLOSE_FLUSH_MS`). */
  close(reason: CloseReason): void {
    if (!this.#leave(reason)) return;
    if (reason === "Slow Consumer (Pending Bytes)" || reason === "Slow Consumer (Write Deadline)" || reason === "Write Error") return this.#drop();
    this.#beforeFinalFlush(reason);
    this.outbound.flush();
    if (this.outbound.pending === 0) return this.#finish();
    this.#finishing = true;
    this.host.clock.after(CLOSE_FLUSH_MS, () => this.#drop());
  }

  /** Lets a WebSocket add its close frame behind the last bytes. */
  #beforeFinalFlush(reason: CloseReason): void {
    if (this.#stream.announceClose === undefined) return;
    this.outbound.flush();
    this.#stream.announceClose(reason);
  }

  #finish(): void {
    this.#finishing = false;
    this.outbound.close();
    this.#stream.end();
  }

  #drop(): void {
    this.#finishing = false;
    this.outbound.close();
    this.#stream.terminate();
  }

  /** Takes the connection out of everything; false when that was done before. */
  #leave(reason: CloseReason): boolean {
    if (this.isClosed) return false;
    this.closeReason = reason;
    this.closedAtNs = this.host.clock.nowNs();
    this.pendingAtClose = this.outbound.pending;
    this.#parser.stopped = true;
    this.#authTimer?.cancel();
    this.heartbeat.stop();
    this.backpressure.stop();
    for (const subscription of this.subscriptions.values()) {
      subscription.closed = true;
      this.account.interest.remove(subscription);
    }
    this.logged.debug(`Client connection closed: ${reason}`);
    if (this.#registered) this.host.onLinkClosed(this);
    return true;
  }

  // Stream

  onData(bytes: Buffer): void {
    if (this.isClosed || !this.#begun) return;
    const before = this.inMsgs + this.#subscriptionChanges;
    const error = this.#parser.parse(bytes);
    if (this.inMsgs + this.#subscriptionChanges !== before) this.lastActivityMs = this.host.clock.nowMs();
    this.#afterParsing(error);
  }

  onDrain(): void {
    this.outbound.drained();
    if (this.#finishing && this.outbound.pending === 0) this.#finish();
  }

  onClose(error: StreamError | undefined): void {
    if (this.#leave(error === undefined ? "Client Closed" : "Read Error")) this.outbound.close();
    else if (this.#finishing) this.#drop();
  }

  onBlocked(): void {
    this.host.watchDeadline(this);
  }

  onLowWater(): void {
    this.backpressure.release();
  }

  pauseReading(): void {
    this.#stream.pause();
  }

  /** Goes on reading, unless something else still waits. */
  resumeReading(): void {
    if (!this.isClosed && !this.#parser.suspended) this.#stream.resume();
  }

  #afterParsing(error: ParseError): void {
    if (error !== ParseError.None && !this.isClosed) this.#parseFailed(error);
    else this.backpressure.settle();
  }

  #parseFailed(error: ParseError): void {
    switch (error) {
      case ParseError.ControlLineExceeded:
        this.logged.error("maximum control line exceeded");
        return this.closeWithError("maximum control line exceeded", "Maximum Control Line Exceeded");
      case ParseError.PayloadExceeded:
        if (this.#parser.refusedWithHeaders) this.#traceRefusedPayload(this.host.message);
        this.logged.error(`maximum payload exceeded: ${this.#parser.refusedSize} vs ${this.#parser.maxPayload}`);
        return this.closeWithError("Maximum Payload Violation", "Maximum Message Payload Exceeded");
      case ParseError.UnknownOperation:
        this.#logParserError();
        return this.closeWithError("Unknown Protocol Operation", "Protocol Violation");
      default:
        this.#logParserError();
        return this.close("Protocol Violation");
    }
  }

  // Operations

  onFirstOperation(firstByte: number): FirstOperation {
    if ((firstByte | 0x20) === 0x63) return FirstOperation.Go;
    if (!this.host.authenticator.allowsImplicitLogin(this.connectionType)) {
      this.#refuse({ ok: false, reason: "Authentication Failure", who: "", detail: "" });
      return FirstOperation.Refuse;
    }
    this.#connectArrived();
    this.#authenticate(() => undefined);
    if (this.isClosed) return FirstOperation.Refuse;
    return this.#parser.suspended ? FirstOperation.Wait : FirstOperation.Go;
  }

  onConnect(json: Buffer): void {
    if (this.traced) this.logged.trace("<<-", `CONNECT ${redactConnect(json.toString("utf8"))}`);
    const options = parseConnect(json, this.connect);
    if (options === undefined) return this.close("Protocol Violation");
    if (this.connectReceived) this.#dropSubscriptions();
    this.connect = this.cookies === undefined ? options : withCookies(options, this.cookies);
    this.logged.forgetLabel();
    this.#connectArrived();
    this.#authenticate(() => this.#acceptConnect());
  }

  #connectArrived(): void {
    this.connectReceived = true;
    this.#parser.expectConnect = false;
    this.#authTimer?.cancel();
    this.#authTimer = undefined;
  }

  /** Runs `accepted` when the presented credentials are good; else closes. Parsing waits for a slow comparison. */
  #authenticate(accepted: () => void): void {
    const request = { connectionType: this.connectionType, connect: this.connect, nonce: this.nonce, tls: this.tls };
    const result = this.host.authenticator.authenticate(request);
    if (!(result instanceof Promise)) return this.#conclude(result, accepted);
    this.#parser.suspended = true;
    this.#stream.pause();
    void result.then((late) => {
      if (this.isClosed) return;
      this.#conclude(late, accepted);
      if (this.isClosed) return;
      this.#stream.resume();
      this.#afterParsing(this.#parser.resume());
    });
  }

  #conclude(result: AuthResult, accepted: () => void): void {
    if (!result.ok) return this.#refuse(result);
    if (result.warning !== undefined) this.logged.warn(result.warning);
    if (this.applyIdentity(result.identity)) accepted();
  }

  #refuse(result: Extract<AuthResult, { ok: false }>): void {
    if (result.detail !== "") this.logged.debug(result.detail);
    this.logged.error(`authentication error${result.who}`);
    this.closeWithError("Authorization Violation", result.reason);
  }

  /** Binds the connection to an account with its permissions and limits. False when that closed it. */
  applyIdentity(identity: Identity): boolean {
    const account = this.host.account(identity.account);
    if (account === undefined) {
      this.sendError("Failed Account Registration");
      this.closeWithError("Authorization Violation", "Missing Account");
      return false;
    }
    if (account !== this.account || this.identity === undefined) {
      const limit = account.limits.maxConnections;
      if (limit >= 0 && account.clientConnections >= limit) {
        this.logged.error("maximum account active connections exceeded");
        this.closeWithError("maximum account active connections exceeded", "Maximum Account Connections Exceeded");
        return false;
      }
      this.#moveTo(account);
    }
    this.identity = identity;
    this.logged.forgetLabel();
    this.permissions = identity.permissions === undefined ? null : new Permissions(identity.permissions, () => this.host.clock.monotonicMs());
    this.#checksPublish = this.permissions !== null;
    for (const subscription of this.subscriptions.values()) this.permissions?.noteSubscription(subscription.subject, subscription.queue);
    this.refreshSettings();
    if (this.#subscriptionLimit() >= 0 && this.subscriptions.size >= this.#subscriptionLimit() && this.#subscriptionLimit() === 0) this.#closeOverSubscribed();
    return true;
  }

  #moveTo(account: Account): void {
    if (this.identity !== undefined) this.#settleTraffic();
    this.account = account;
    account.clientConnections++;
  }

  /** Hands what was counted so far to the account that is being left. */
  #settleTraffic(): void {
    const past = this.account.pastTraffic;
    past.inMsgs += this.inMsgs - this.#settled.inMsgs;
    past.inBytes += this.inBytes - this.#settled.inBytes;
    past.outMsgs += this.outMsgs - this.#settled.outMsgs;
    past.outBytes += this.outBytes - this.#settled.outBytes;
    this.#settled = { inMsgs: this.inMsgs, inBytes: this.inBytes, outMsgs: this.outMsgs, outBytes: this.outBytes };
    this.account.clientConnections--;
  }
  #settled = { inMsgs: 0, inBytes: 0, outMsgs: 0, outBytes: 0 };

  /** Traffic of this connection since it is bound to its present account. */
  get accountTraffic(): { inMsgs: number; inBytes: number; outMsgs: number; outBytes: number } {
    const settled = this.#settled;
    return { inMsgs: this.inMsgs - settled.inMsgs, inBytes: this.inBytes - settled.inBytes, outMsgs: this.outMsgs - settled.outMsgs, outBytes: this.outBytes - settled.outBytes };
  }

  /** After a reload: the stored CONNECT is judged again. */
  reauthenticate(): void {
    const request = { connectionType: this.connectionType, connect: this.connect, nonce: this.nonce, tls: this.tls };
    const conclude = (result: AuthResult): void => {
      if (this.isClosed) return;
      if (!result.ok) return this.#refuse(result);
      if (this.applyIdentity(result.identity)) this.#dropDeniedSubscriptions();
    };
    const result = this.host.authenticator.authenticate(request);
    if (result instanceof Promise) void result.then(conclude);
    else conclude(result);
  }

  /** After a reload: the same user, perhaps with other permissions. */
  updatePermissions(permissions: PermissionOptions | undefined): void {
    if (this.identity !== undefined && this.applyIdentity({ ...this.identity, permissions })) this.#dropDeniedSubscriptions();
  }

  #dropDeniedSubscriptions(): void {
    for (const subscription of [...this.subscriptions.values()]) {
      const { subject, queue, sid } = subscription;
      if (this.permissions === null || this.permissions.canSubscribe(subject, queue)) continue;
      const what = `${quoteBytes(subject)}${queue === "" ? "" : ` using queue ${quoteBytes(queue)}`} (sid ${quoteBytes(sid)})`;
      this.sendError(`Permissions Violation for Subscription to ${what}`);
      this.logged.info(`Removed sub ${what} for User ${goQuote(this.identity?.user ?? "")} - not authorized`);
      this.removeSubscription(subscription);
    }
  }

  #closeOverSubscribed(): void {
    this.sendError("maximum subscriptions exceeded");
    this.host.clock.after(20, () => this.close("Maximum Subscriptions Exceeded"));
  }

  #acceptConnect(): void {
    const options = this.connect;
    if (options.account !== "" || options.new_account) return this.#refuse({ ok: false, reason: "Authentication Failure", who: "", detail: "" });
    if (options.protocol !== 0 && options.protocol !== 1) return this.closeWithError("invalid client protocol", "Bad Client Protocol Version");
    this.#headers = options.headers && this.host.settings.headers;
    this.#parser.headers = this.#headers;
    if (options.no_responders && !this.#headers) return this.closeWithError("no responders requires headers support", "No Responders Requires Headers");
    this.#verbose = options.verbose;
    this.#echo = options.echo;
    this.heartbeat.connected();
    if (this.#verbose) this.#sendOk();
  }

  onPing(): void {
    if (this.traced) this.logged.trace("<<-", "PING");
    this.heartbeat.heard();
    this.send("PONG\r\n");
    if (this.firstPongSent) return;
    this.firstPongSent = true;
    if (this.connectReceived && this.connect.protocol >= 1) {
      const isSystem = this.account.isSystem;
      this.#sendInfo({ connect_info: true, remote_account: this.account.name, acc_is_sys: isSystem });
    }
  }

  onPong(): void {
    if (this.traced) this.logged.trace("<<-", "PONG");
    this.heartbeat.pong();
  }

  onOk(): void {
    if (this.traced) this.logged.trace("<<-", "+OK");
  }

  onError(text: string): void {
    this.logged.error(`Client Error ${fromByteString(text)}`);
    this.close("Parse Error");
  }

  onInfo(json: Buffer): void {
    try {
      const value: unknown = JSON.parse(json.toString("utf8"));
      if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
    } catch {
      // falls through to the refusal
    }
    this.close("Protocol Violation");
  }

  onSubscribe(subject: string, queue: string, sid: string): void {
    if (this.traced) this.logged.trace("<<-", queue === "" ? `SUB ${subject} ${sid}` : `SUB ${subject} ${queue} ${sid}`);
    this.#subscriptionChanges++;
    this.heartbeat.heard();
    if (!this.#maySubscribe(subject, queue, sid)) return;
    if (!this.subscriptions.has(sid)) {
      const subscription = new Subscription(this, subject, queue, sid);
      this.subscriptions.set(sid, subscription);
      this.permissions?.noteSubscription(subject, queue);
      this.account.interest.insert(subscription);
    }
    if (this.#verbose) this.#sendOk();
  }

  /** The checks of 5.4, in their order. */
  #maySubscribe(subject: string, queue: string, sid: string): boolean {
    if (queue === "_sys_" || this.permissions?.canSubscribe(subject, queue) === false) {
      const inQueue = queue === "" ? "" : ` using queue ${quoteBytes(queue)}`;
      this.logged.error(`Subscription Violation - Subject ${quoteBytes(subject)}${queue === "" ? "" : `, Queue: ${quoteBytes(queue)}`}, SID ${fromByteString(sid)}`);
      this.sendError(`Permissions Violation for Subscription to ${quoteBytes(subject)}${inQueue}`);
      return false;
    }
    const maxTokens = this.host.settings.maxSubscriptionTokens;
    if (maxTokens > 0 && tokenCount(subject) > maxTokens) {
      this.sendError(`Permissions Violation for Subscription to ${quoteBytes(subject)}, too many tokens`);
      return false;
    }
    const limit = this.#subscriptionLimit();
    if (limit >= 0 && this.subscriptions.size >= limit) {
      this.logged.error("maximum subscriptions exceeded");
      this.sendError("maximum subscriptions exceeded");
      return false;
    }
    if (!isValidSubject(subject)) {
      this.sendError("Invalid Subject");
      return false;
    }
    return true;
  }

  /** Smallest of the server's and the account's limit; negative means none. */
  #subscriptionLimit(): number {
    const server = this.host.settings.maxSubscriptions;
    const account = this.account.limits.maxSubscriptions;
    if (server <= 0) return account;
    return account < 0 ? server : Math.min(server, account);
  }

  #effectiveMaxPayload(): number {
    const server = this.host.settings.maxPayload;
    const account = this.account.limits.maxPayload;
    if (account < 0) return server;
    return server < 0 ? account : Math.min(server, account);
  }

  onUnsubscribe(sid: string, max: number): void {
    if (this.traced) this.logged.trace("<<-", max === 0 ? `UNSUB ${sid}` : `UNSUB ${sid} ${max}`);
    this.#subscriptionChanges++;
    this.heartbeat.heard();
    const subscription = this.subscriptions.get(sid);
    if (subscription !== undefined) {
      if (max > subscription.delivered) subscription.max = max;
      else this.removeSubscription(subscription);
    }
    if (this.#verbose) this.#sendOk();
  }

  removeSubscription(subscription: Subscription): void {
    if (subscription.closed) return;
    subscription.closed = true;
    this.subscriptions.delete(subscription.sid);
    this.account.interest.remove(subscription);
    if (this.traced) this.logged.trace("<->", `DELSUB ${subscription.sid}`);
  }

  #dropSubscriptions(): void {
    for (const subscription of [...this.subscriptions.values()]) this.removeSubscription(subscription);
  }

  onPublish(message: Message, subjectHash: number): void {
    this.inMsgs++;
    this.inBytes += message.bodyEnd - message.bodyStart;
    const account = this.account;
    const entry = account.interest.find(message.buffer, message.subjectStart, message.subjectEnd, subjectHash);
    if (this.traced) this.logged.tracePublish(message);
    // Everything rare is behind a few flags and the first two bytes of the subject and the reply.
    if (
      this.#checksPublish ||
      account.mapper !== undefined ||
      mayBeReserved(message.buffer, message.subjectStart) ||
      (message.replyStart !== message.replyEnd && mayBeReserved(message.buffer, message.replyStart)) ||
      this.connect.pedantic ||
      (message.headerLength > 0 && mayBeTraced(message, account))
    ) {
      return this.#publishWithChecks(message, entry);
    }
    if (this.#verbose) this.#sendOk();
    const taken = distribute(entry.result, message, entry.subject, entry.bytes, this);
    if (taken === 0 && this.connect.no_responders && message.replyStart !== message.replyEnd) this.#sendNoResponders(message, entry.subject);
  }

  /** A publish that something rare applies to, in the order of 5.6. */
  #publishWithChecks(message: Message, published: SubjectEntry): void {
    const account = this.account;
    let entry = published;
    let tracer: MessageTracer | undefined;
    if (message.headerLength > 0 && mayBeTraced(message, account)) {
      const verdict = judgeTrace(this, message, (subject) => this.permissions?.canPublish(subject) !== false);
      if (verdict.kind === "dropped") return;
      if (verdict.kind === "refused") return this.sendError(destinationViolation(verdict.destination));
      if (verdict.kind === "replaced") message = verdict.message;
      if (verdict.kind === "traced") tracer = verdict.tracer;
    }
    if (account.mapper !== undefined && isValidLiteralSubject(entry.subject)) {
      const mapped = account.mapper.map(entry.subject);
      if (mapped !== entry.subject) {
        if (this.traced) this.logged.trace("<<-", `MAPPING ${entry.subject} -> ${mapped ?? ""}`);
        tracer?.mapped(mapped ?? "");
        entry = account.interest.findSubject(mapped ?? "");
      }
    }
    const violation = this.#publishViolation(entry.subject, message.reply());
    if (violation !== undefined) {
      this.logged.error(violation.log);
      this.sendError(violation.text);
      tracer?.refused(violation.text);
      return;
    }
    if (this.connect.pedantic && !isValidLiteralSubject(entry.subject)) this.sendError("Invalid Publish Subject");
    if (this.#verbose) this.#sendOk();
    const taken = tracer === undefined ? distribute(entry.result, message, entry.subject, entry.bytes, this) : tracer.distribute(entry, message);
    if (taken === 0 && this.connect.no_responders && message.replyStart !== message.replyEnd) this.#sendNoResponders(message, entry.subject);
    tracer?.finish();
  }

  /** A publish that is too large is still reported to whoever traces it. */
  #traceRefusedPayload(message: Message): void {
    if (!mayBeTraced(message, this.account)) return;
    const verdict = judgeTrace(this, message, (subject) => this.permissions?.canPublish(subject) !== false);
    if (verdict.kind === "traced") verdict.tracer.refused("maximum payload exceeded");
  }

  /** Why this connection may not publish to `subject` asking for answers on `reply`; undefined when it may. */
  #publishViolation(subject: string, reply: string): { readonly text: string; readonly log: string } | undefined {
    const reserved = subject.startsWith("_GR_.") || (subject.startsWith("$NRG.") && !this.account.isSystem);
    if (reserved || this.permissions?.canPublish(subject) === false) {
      return { text: `Permissions Violation for Publish to ${quoteBytes(subject)}`, log: `Publish Violation - Subject ${quoteBytes(subject)}` };
    }
    if (reply === "" || !isReservedReply(reply)) return undefined;
    return { text: `Permissions Violation for Publish with Reply of ${quoteBytes(reply)}`, log: `Publish Violation - Reply ${quoteBytes(reply)}` };
  }

  #sendNoResponders(message: Message, subject: string): void {
    const reply = message.reply();
    const own = this.account.interest.match(reply).plain.find((subscription) => subscription.owner === this);
    if (own === undefined) return;
    this.deliver(own, noRespondersMessage(reply, subject), reply, Buffer.from(reply, "latin1"), undefined);
  }

  // Deliveries

  describe(): { readonly kind: number; readonly cid: number; readonly name?: string } {
    return this.connect.name === "" ? { kind: 0, cid: this.id } : { kind: 0, cid: this.id, name: this.connect.name };
  }

  judge(subscription: Subscription, subject: string, origin: Subscriber | undefined): Delivery {
    if (this.closeReason !== undefined) return Delivery.SubscriberClosed;
    if (subscription.closed) return Delivery.SubscriptionClosed;
    if (origin === this && !this.#echo) return Delivery.NoEcho;
    const permissions = this.permissions;
    if (permissions !== null && permissions.filtersDelivery && permissions.deniesDelivery(subject, subscription.queue)) return Delivery.Denied;
    return Delivery.Delivered;
  }

  deliver(subscription: Subscription, message: Message, subject: string, subjectBytes: Buffer, origin: Subscriber | undefined): Delivery {
    const verdict = this.judge(subscription, subject, origin);
    if (verdict !== Delivery.Delivered) return verdict;
    if (this.permissions !== null && this.permissions.tracksReplies && message.replyStart !== message.replyEnd) this.permissions.noteReply(message.reply());
    const outbound = this.outbound;
    const pending = outbound.end - outbound.start;
    const maxPending = this.host.settings.maxPending;
    if (pending > stallThreshold(maxPending) && origin instanceof ClientLink && origin !== this) {
      if (this.host.settings.noFastProducerStall) return Delivery.StalledConsumer;
      origin.backpressure.note(this);
    }
    subscription.delivered++;
    const size = message.bodyEnd - message.bodyStart;
    if (pending + size > maxPending) {
      this.slowConsumer(`Slow Consumer Detected: MaxPending of ${maxPending} Exceeded`, "Slow Consumer (Pending Bytes)");
      return Delivery.SubscriberClosed;
    }
    const bytes = encodeDelivery(outbound, subscription, message, subjectBytes, this.#headers);
    this.outMsgs++;
    this.outBytes += bytes;
    if (this.traced) this.logged.traceDelivery(subscription, message, subject);
    if (subscription.max > 0 && subscription.delivered >= subscription.max) this.removeSubscription(subscription);
    return Delivery.Delivered;
  }

  slowConsumer(text: string, reason: CloseReason): void {
    this.host.stats.slowConsumers++;
    this.account.slowConsumers++;
    this.logged.info(text);
    this.close(reason);
  }

  // Lines to the client

  /** Queues protocol bytes. */
  send(line: string): void {
    if (this.traced) this.logged.traceLine(line);
    this.outbound.text(line);
  }

  sendError(text: string): void {
    this.send(`-ERR '${text}'\r\n`);
  }

  #sendOk(): void {
    this.send("+OK\r\n");
  }

  /** Tells a client that understands it what changed. */
  sendAsyncInfo(): void {
    if (this.connect.protocol >= 1 && this.firstPongSent && !this.isClosed) this.#sendInfo({});
  }

  #sendInfo(own: Partial<ServerInfo>): void {
    const info = { ...this.host.infoFor(this), max_payload: this.#effectiveMaxPayload(), client_id: this.id, client_ip: this.remoteAddress, ...own };
    this.outbound.text(Buffer.from(encodeInfo(info), "utf8").latin1Slice());
  }

  // Logs

  /** `<ip>:<port> - cid:<n>`, then what CONNECT told. */
  label(): string {
    return this.logged.label();
  }

  /** The address is known better now (PROXY header): later labels show it. */
  setRemote(address: string, port: number): void {
    this.remoteAddress = address;
    this.remotePort = port;
    this.logged.forgetLabel();
  }

  #logParserError(): void {
    const { failedAt, failedText } = this.#parser;
    this.logged.error(`Client parser ERROR, state=0, i=${failedAt}: proto='${quoteBytes(failedText)}...'`);
  }
}

/** Whether a subject begins like `_GR_.`, `_R_.`, `$NRG.` or `$JS.ACK.`: two bytes, so that inboxes are told apart at once. */
function mayBeReserved(buffer: Buffer, at: number): boolean {
  const first = buffer[at];
  const second = buffer[at + 1];
  return (first === 95 && (second === 71 || second === 82)) || (first === 36 && (second === 78 || second === 74));
}

function isReservedReply(reply: string): boolean {
  return reply.startsWith("_R_.") || reply.startsWith("$JS.ACK.") || reply.startsWith("_GR_.");
}

function withCookies(options: ConnectOptions, cookies: Partial<ConnectOptions>): ConnectOptions {
  return {
    ...options,
    jwt: options.jwt === "" ? (cookies.jwt ?? "") : options.jwt,
    user: options.user === "" ? (cookies.user ?? "") : options.user,
    pass: options.pass === "" ? (cookies.pass ?? "") : options.pass,
    auth_token: options.auth_token === "" ? (cookies.auth_token ?? "") : options.auth_token,
  };
}
