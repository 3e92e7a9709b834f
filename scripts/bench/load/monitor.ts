/**
 * What the benchmark reads from a server's monitoring port.
 */

/** The parts of /varz that are used here. */
export interface Varz {
  readonly version: string;
  readonly connections: number;
  readonly subscriptions: number;
  readonly slow_consumers: number;
}

/** Reads `/varz`. Rejects if the server does not answer it. */
export async function varz({ monitorUrl }: { readonly monitorUrl: string }): Promise<Varz> {
  const response = await fetch(`${monitorUrl}/varz`);
  if (!response.ok) throw new Error(`/varz answered ${response.status}`);
  return (await response.json()) as Varz;
}
