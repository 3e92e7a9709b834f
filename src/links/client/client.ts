/**
 * A client connection: operations in, deliveries out. This file is its life, its hot path and the lines it is sent; what else belongs to it has a file of its
 * own: letting it in (`admission.ts`), its subscriptions, the rare publish (`publish.ts`), encoding a delivery, pings (`heartbeat.ts`), waiting for slow
 * consumers (`backpressure.ts`), logs, message tracing. How a connection gets here (PROXY header, TLS, WebSocket) is decided by whoever accepted it, with
 * `sendInitialInfo`, `adoptStream` and `begin`.
 *
 * Spec: client protocol; the numbers in comments are its sections.
 */
import type { Account } from "../../accounts/index.ts";
import type { Identity, Permissions } from "../../auth/index.ts";
import type { ConnectionType } from "../../config/index.ts";
import type { Stream, StreamError, StreamHandler, Timer, TlsState } from "../../platform/index.ts";
import { type CloseReason, type ConnectOptions, defaultConnectOptions, encodeInfo, FirstOperation, type OperationHandler, parseConnect, ParseError, Parser, type ServerInfo } from "../../protocol/index.ts";
import { type ClientDetails, Delivery, distribute, type Message, type SeenSubject, type Subscriber, type Subscription } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { timestamp } from "../../util/timestamp.ts";
import type { LinkHost } from "../host.ts";
import { Outbound, type OutboundOwner } from "../outbound.ts";
import { Admission, REFUSED } from "./admission.ts";
import { Backpressure, longBacklog, stallThreshold } from "./backpressure.ts";
import { encodeDelivery } from "./encode.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Intake } from "./intake.ts";
import { redactConnect } from "./label.ts";
import { noRespondersMessage } from "./noresponders.ts";
import { ProtocolLog, quoteBytes } from "./protocollog.ts";
import { isAcknowledgement, isAnswer, mayBeReserved, mayBeReservedReply, publishWithChecks, traceRefusedPayload } from "./publish.ts";
import { ClientSubscriptions } from "./subscriptions.ts";
import { mayBeTraced } from "./trace.ts";
import { AccountTraffic } from "./traffic.ts";

/** How long a closing connection may take to send its last bytes. */
export const CLOSE_FLUSH_MS = 100;

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
  /** Address of the peer, which log lines show also behind a PROXY header. */
  readonly socketAddress: string;
  readonly socketPort: number;
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

  readonly subscriptions: ClientSubscriptions;
  readonly traffic: AccountTraffic;
  readonly admission: Admission;
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
  #headers = false;
  /** Hot flags, refreshed when what they depend on changes. */
  #checksPublish = false;
  #verbose = true;
  #echo = true;
  readonly #intake: Intake;
  #begun = false;
  #finishing = false;
  #flushTimer: Timer | undefined = undefined;
  #registered = false;

  constructor(
    readonly host: LinkHost,
    readonly kind: ClientKind,
    stream: Stream,
  ) {
    this.id = host.nextClientId();
    this.startedAtNs = host.clock.nowNs();
    this.lastActivityMs = host.clock.nowMs();
    this.remoteAddress = this.socketAddress = stream.remoteAddress;
    this.remotePort = this.socketPort = stream.remotePort;
    this.account = host.globalAccount;
    this.#stream = stream;
    this.outbound = new Outbound(stream, host.turn, this, () => host.clock.monotonicMs());
    this.#parser = new Parser(this, host.message, host.settings.maxControlLine, host.settings.maxPayload);
    this.#intake = new Intake(this, this.#parser, () => this.#parse(() => this.#parser.proceed()));
    this.heartbeat = new Heartbeat(this);
    this.backpressure = new Backpressure(this);
    this.logged = new ProtocolLog(this);
    this.subscriptions = new ClientSubscriptions(this);
    this.traffic = new AccountTraffic(this);
    this.admission = new Admission(this);
    stream.handler = this;
  }

  // Life

  get connectionType(): ConnectionType {
    return this.kind === "websocket" ? "WEBSOCKET" : "STANDARD";
  }

  get isClosed(): boolean {
    return this.closeReason !== undefined;
  }

  /** Whether it still has to say who it is before anything else. */
  get awaitsConnect(): boolean {
    return this.#parser.expectConnect;
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
    this.traffic.enter();
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
      this.admission.startTimer();
    }
    this.heartbeat.start();
    if (initial !== undefined && initial.length > 0) this.onData(initial);
  }

  /** Refuses the connection when there are too many; the client has seen INFO by then, unless it was to begin with TLS. */
  refusedAsSurplus(): boolean {
    const { maxConnections } = this.host.accepting;
    if (maxConnections >= 0 && this.host.clientCount <= maxConnections) return false;
    this.sendError("maximum connections exceeded");
    this.logged.error("maximum connections exceeded");
    this.close("Maximum Connections Exceeded");
    return true;
  }

  /** Largest message this connection may publish, bytes; negative means no limit. */
  get maxPayload(): number {
    return this.#effectiveMaxPayload();
  }

  /** New limits hold at once. */
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
    this.#flushTimer = this.host.clock.after(CLOSE_FLUSH_MS, () => this.#drop());
  }

  /** Lets a WebSocket add its close frame behind the last bytes. */
  #beforeFinalFlush(reason: CloseReason): void {
    if (this.#stream.announceClose === undefined) return;
    this.outbound.flush();
    this.#stream.announceClose(reason);
  }

  #finish(): void {
    this.#finishing = false;
    this.#flushTimer?.cancel();
    this.outbound.close();
    this.#stream.end();
  }

  #drop(): void {
    this.#finishing = false;
    this.#flushTimer?.cancel();
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
    this.admission.stop();
    this.heartbeat.stop();
    this.backpressure.stop();
    this.subscriptions.leave();
    this.logged.debug(`Client connection closed: ${reason}`);
    if (this.#registered) this.host.onLinkClosed(this);
    return true;
  }

  // Stream

  onData(bytes: Buffer): void {
    if (this.isClosed || !this.#begun) return;
    this.#parse(() => this.#parser.parse(bytes));
    this.#intake.settle(true);
  }

  #parse(input: () => ParseError): void {
    // Messages, SUB and UNSUB are activity, PING is not.
    const before = this.inMsgs + this.subscriptions.changes;
    const error = input();
    if (this.inMsgs + this.subscriptions.changes !== before) this.lastActivityMs = this.host.clock.nowMs();
    if (error !== ParseError.None && !this.isClosed) this.#parseFailed(error);
    else this.backpressure.settle();
  }

  onDrain(): void {
    this.outbound.drained();
    if (this.#finishing && this.outbound.pending === 0) this.#finish();
  }

  onClose(error: StreamError | undefined): void {
    this.#intake.finish();
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

  /** Nothing more is parsed or read until `resumeParsing`. */
  suspendParsing(): void {
    this.#parser.suspended = true;
    this.#stream.pause();
  }

  resumeParsing(): void {
    this.#parser.suspended = false;
    this.#parse(() => this.#parser.proceed());
    this.#intake.settle(false);
  }

  /** Whether parsing waits: for a slow comparison, or for a consumer that is behind. */
  get isWaiting(): boolean {
    return this.#parser.suspended || this.backpressure.isWaiting;
  }

  /** What was waited for is over: goes on with what has arrived, then with reading. */
  resumeReading(): void {
    this.#intake.settle(false);
  }

  readAgain(): void {
    this.#stream.resume();
  }

  #parseFailed(error: ParseError): void {
    switch (error) {
      case ParseError.ControlLineExceeded:
        this.logged.error("maximum control line exceeded");
        return this.closeWithError("maximum control line exceeded", "Maximum Control Line Exceeded");
      case ParseError.PayloadExceeded:
        if (this.#parser.refusedWithHeaders) traceRefusedPayload(this, this.host.message);
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
      this.admission.refuse(REFUSED);
      return FirstOperation.Refuse;
    }
    this.#connectArrived();
    this.admission.authenticate(() => this.host.onLinkAdmitted(this));
    if (this.isClosed) return FirstOperation.Refuse;
    return this.#parser.suspended ? FirstOperation.Wait : FirstOperation.Go;
  }

  onConnect(json: Buffer): void {
    if (this.traced) this.logged.trace("<<-", `CONNECT ${redactConnect(json.toString("utf8"))}`);
    const options = parseConnect(json, this.connect);
    if (options === undefined) return this.close("Protocol Violation");
    if (this.connectReceived) {
      this.subscriptions.dropAll();
      this.admission.forget();
    }
    this.connect = this.cookies === undefined ? options : withCookies(options, this.cookies);
    this.logged.forgetLabel();
    this.#connectArrived();
    this.admission.authenticate(() => this.#acceptConnect());
  }

  #connectArrived(): void {
    this.connectReceived = true;
    this.#parser.expectConnect = false;
    this.admission.stopTimer();
  }

  /** Takes on who the client is and what it may do. */
  bind(identity: Identity, permissions: Permissions | null): void {
    this.identity = identity;
    this.permissions = permissions;
    this.#checksPublish = permissions !== null;
    if (permissions !== null) this.subscriptions.announceTo(permissions);
    this.logged.forgetLabel();
    this.refreshSettings();
  }

  #acceptConnect(): void {
    const options = this.connect;
    if (options.account !== "" || options.new_account) return this.admission.refuse(REFUSED);
    if (options.protocol !== 0 && options.protocol !== 1) return this.closeWithError("invalid client protocol", "Bad Client Protocol Version");
    this.#headers = options.headers && this.host.settings.headers;
    this.#parser.headers = this.#headers;
    if (options.no_responders && !this.#headers) return this.closeWithError("no responders requires headers support", "No Responders Requires Headers");
    this.#verbose = options.verbose;
    this.#echo = options.echo;
    this.heartbeat.connected();
    this.host.onLinkAdmitted(this);
    this.acknowledge();
  }

  isTurnSpent(): boolean {
    return this.host.turn.inputIsSpent();
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
      if (typeof value === "object" && !Array.isArray(value)) return;
    } catch {
      // falls through to the refusal
    }
    this.close("Protocol Violation");
  }

  onSubscribe(subject: string, queue: string, sid: string): void {
    if (this.traced) this.logged.trace("<<-", queue === "" ? `SUB ${subject} ${sid}` : `SUB ${subject} ${queue} ${sid}`);
    this.heartbeat.heard();
    this.subscriptions.subscribe(subject, queue, sid);
  }

  #effectiveMaxPayload(): number {
    const bounds = [this.host.settings.maxPayload, this.account.limits.maxPayload, this.identity?.limits?.maxPayload ?? -1].filter((bound) => bound >= 0);
    return bounds.length === 0 ? -1 : Math.min(...bounds);
  }

  onUnsubscribe(sid: string, max: number): void {
    if (this.traced) this.logged.trace("<<-", max === 0 ? `UNSUB ${sid}` : `UNSUB ${sid} ${max}`);
    this.heartbeat.heard();
    this.subscriptions.unsubscribe(sid, max);
  }

  onPublish(message: Message, subjectHash: number): void {
    this.inMsgs++;
    this.inBytes += message.bodyEnd - message.bodyStart;
    const account = this.account;
    const { interest } = account;
    const { buffer, subjectStart, subjectEnd } = message;
    const entry = isAcknowledgement(buffer, subjectStart)
      ? interest.findOnce(buffer, subjectStart, subjectEnd, subjectHash)
      : isAnswer(buffer, subjectStart)
        ? interest.findReply(buffer, subjectStart, subjectEnd, subjectHash)
        : interest.find(buffer, subjectStart, subjectEnd, subjectHash);
    if (this.traced) this.logged.tracePublish(message);
    // Everything rare is behind a few flags and the first two bytes of the subject and the reply.
    if (
      this.#checksPublish ||
      account.mapper !== undefined ||
      mayBeReserved(buffer, subjectStart) ||
      (message.replyStart !== message.replyEnd && mayBeReservedReply(buffer, message.replyStart)) ||
      this.connect.pedantic ||
      (message.headerLength > 0 && mayBeTraced(message, account))
    ) {
      return publishWithChecks(this, message, entry);
    }
    this.acknowledge();
    const taken = distribute(entry.result, message, entry, this);
    if (taken === 0) this.tellNoResponders(message, entry.subject);
  }

  /** Nobody took a message: its publisher is told, if it asked for that and listens on the reply subject. */
  tellNoResponders(message: Message, subject: string): void {
    if (!this.connect.no_responders || message.replyStart === message.replyEnd) return;
    const reply = message.reply();
    const own = this.account.interest.match(reply).plain.find((subscription) => subscription.owner === this);
    if (own === undefined) return;
    // It is an answer of the server's, no delivery: it counts neither in the traffic nor towards the subscription's maximum.
    const answer = noRespondersMessage(reply, subject);
    encodeDelivery(this.outbound, own, answer, Buffer.from(reply, "latin1"), this.#headers);
    if (this.traced) this.logged.traceDelivery(own, answer, reply);
  }

  // Deliveries

  describe(): { readonly kind: number; readonly cid: number; readonly name?: string } {
    return this.connect.name === "" ? { kind: 0, cid: this.id } : { kind: 0, cid: this.id, name: this.connect.name };
  }

  /** Who it is, for those it sends requests to. Spec: monitoring, section 13. */
  details(serverName: string): ClientDetails {
    const { connect, identity, heartbeat } = this;
    const present = <T>(value: T | "" | 0): T | undefined => (value === "" || value === 0 ? undefined : value);
    return {
      start: timestamp(this.startedAtNs),
      host: present(this.remoteAddress),
      id: this.id,
      acc: this.account.name,
      user: present(identity?.user ?? ""),
      name: present(connect.name),
      lang: present(connect.lang),
      ver: present(connect.version),
      rtt: present(heartbeat.roundTripNs),
      server: serverName,
      kind: "Client",
      client_type: this.kind,
    };
  }

  judge(subscription: Subscription, subject: string, origin: Subscriber | undefined): Delivery {
    if (this.closeReason !== undefined) return Delivery.SubscriberClosed;
    if (subscription.closed) return Delivery.SubscriptionClosed;
    if (origin === this && !this.#echo) return Delivery.NoEcho;
    const permissions = this.permissions;
    if (permissions !== null && permissions.filtersDelivery && permissions.deniesDelivery(subject, subscription.queue)) return Delivery.Denied;
    return Delivery.Delivered;
  }

  deliver(subscription: Subscription, message: Message, seen: SeenSubject, origin: Subscriber | undefined): Delivery {
    const verdict = this.judge(subscription, seen.subject, origin);
    if (verdict !== Delivery.Delivered) return verdict;
    if (this.permissions !== null && this.permissions.tracksReplies && message.replyStart !== message.replyEnd) this.permissions.noteReply(message.reply());
    const outbound = this.outbound;
    const pending = outbound.end - outbound.start;
    const maxPending = this.host.settings.maxPending;
    if (pending > stallThreshold(maxPending) && origin instanceof ClientLink && origin !== this) {
      if (!this.host.settings.noFastProducerStall) origin.backpressure.note(this);
      else if (pending > longBacklog(maxPending)) return Delivery.StalledConsumer;
    }
    subscription.delivered++;
    const size = message.bodyEnd - message.bodyStart;
    if (pending + size > maxPending) {
      this.slowConsumer(`Slow Consumer Detected: MaxPending of ${maxPending} Exceeded`, "Slow Consumer (Pending Bytes)");
      return Delivery.SubscriberClosed;
    }
    const bytes = encodeDelivery(outbound, subscription, message, seen.bytes, this.#headers);
    this.outMsgs++;
    this.outBytes += bytes;
    if (this.traced) this.logged.traceDelivery(subscription, message, seen.subject);
    if (subscription.max > 0 && subscription.delivered >= subscription.max) this.subscriptions.remove(subscription);
    return Delivery.Delivered;
  }

  /** Closes a client that does not read. One that never said who it is does not count as a consumer (client protocol, section 9.2). */
  slowConsumer(text: string, reason: CloseReason): void {
    if (this.connectReceived || !this.host.authenticator.required(this.connectionType)) {
      this.host.stats.slowConsumers++;
      this.account.slowConsumers++;
    }
    this.logged.info(text);
    this.close(reason);
  }

  // Lines to the client

  /** Queues protocol bytes. */
  send(line: string): void {
    if (this.traced) this.logged.traceLine(line);
    this.outbound.text(line);
  }

  /** `text` is text, as a log shows it; it leaves in UTF-8. */
  sendError(text: string): void {
    this.send(toByteString(`-ERR '${text}'\r\n`));
  }

  /** +OK, to a client that wants it. */
  acknowledge(): void {
    if (this.#verbose) this.send("+OK\r\n");
  }

  /** Tells a client that understands it what changed; false when it does not, or not yet. */
  sendAsyncInfo(own: Pick<Partial<ServerInfo>, "ldm"> = {}): boolean {
    if (this.connect.protocol < 1 || !this.firstPongSent || this.isClosed) return false;
    this.#sendInfo(own);
    return true;
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

function withCookies(options: ConnectOptions, cookies: Partial<ConnectOptions>): ConnectOptions {
  return {
    ...options,
    jwt: options.jwt === "" ? (cookies.jwt ?? "") : options.jwt,
    user: options.user === "" ? (cookies.user ?? "") : options.user,
    pass: options.pass === "" ? (cookies.pass ?? "") : options.pass,
    auth_token: options.auth_token === "" ? (cookies.auth_token ?? "") : options.auth_token,
  };
}
