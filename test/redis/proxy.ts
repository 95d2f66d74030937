import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a proxy does with the next bytes that contain a text. */
interface Trap {
  readonly text: string;
  /** Whether the server gets the bytes before the connection is cut. */
  readonly executes: boolean;
  readonly sprung: () => void;
}

/** A TCP proxy before a server, which cuts connections and swallows bytes as told. */
export class TcpProxy {
  readonly port: number;
  /** The port of the server that new connections are led to. */
  target: number;
  /** Swallows all bytes in both directions, without closing anything: as if a cable were unplugged. */
  isHole = false;
  /** How long bytes for the server wait, in milliseconds. */
  delayMs = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #trap: Trap | undefined;

  private constructor(server: Server, port: number, target: number) {
    this.#server = server;
    this.port = port;
    this.target = target;
  }

  static async before(target: number): Promise<TcpProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server, (server.address() as { port: number }).port, target);
    server.on('connection', (client) => proxy.#join(client));
    return proxy;
  }

  /**
   * Cuts the connection on which bytes with this text come next: after the server has got them (`executes`), or before.
   * Resolves when that has happened.
   */
  cutAt(text: string, { executes }: { executes: boolean }): Promise<void> {
    return new Promise((sprung) => {
      this.#trap = { text, executes, sprung };
    });
  }

  /** Cuts all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket): void {
    const server = connect(this.target, '127.0.0.1');
    let isDead = false;
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => {}); // the other half is closed below
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on('data', (data) => {
      if (this.isHole || isDead) return;
      const trap = this.#trap;
      if (trap !== undefined && data.includes(trap.text)) {
        this.#trap = undefined;
        isDead = true;
        // The answer shows that the server has executed what it got.
        if (trap.executes) server.once('data', () => client.destroy());
        if (trap.executes) server.write(data);
        else client.destroy();
        trap.sprung();
        return;
      }
      if (this.delayMs === 0) server.write(data);
      else setTimeout(() => server.write(data), this.delayMs);
    });
    server.on('data', (data) => {
      if (!this.isHole && !isDead) client.write(data);
    });
  }
}
