import {
  type Client,
  credentials,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import type { Contender } from './session.ts';
import { CHUNKS, type Ends, measure, type Small, work } from './work.ts';

const MAX_BYTES = 1 << 26;
const LIMITS = { 'grpc.max_receive_message_length': MAX_BYTES, 'grpc.max_send_message_length': MAX_BYTES };

const uint = (name: string) => ({ fields: { [name]: { type: 'uint32', id: 1 } } });

/** The service in the form that the loader makes of a .proto file. */
const DEFINITION = fromJSON({
  nested: {
    Small: uint('x'),
    Ends: uint('ends'),
    Bytes: { fields: { bytes: { type: 'bytes', id: 1 } } },
    Echo: {
      methods: {
        Echo: { requestType: 'Small', responseType: 'Small', comment: '' },
        Measure: { requestType: 'Bytes', responseType: 'Ends', comment: '' },
        Stream: { requestType: 'Small', responseType: 'Small', responseStream: true, comment: '' },
      },
    },
  },
});

type Unary<Req, Res> = (request: Req, done: (error: Error | null, response: Res) => void) => void;

interface EchoClient extends Client {
  echo: Unary<Small, Small>;
  measure: Unary<{ bytes: Uint8Array }, Ends>;
  stream(request: Small): AsyncIterable<unknown>;
}

const service = loadPackageDefinition(DEFINITION)['Echo'] as unknown as {
  new (address: string, security: object, options: object): EchoClient;
  readonly service: Parameters<Server['addService']>[0];
};

/** gRPC in JavaScript, without TLS. */
export const grpc: Contender = {
  async serve() {
    const server = new Server(LIMITS);
    server.addService(service.service, {
      echo: async ({ request }: ServerUnaryCall<Small, Small>, done: sendUnaryData<Small>) =>
        done(null, (await work(request)) as Small),
      measure: ({ request }: ServerUnaryCall<{ bytes: Uint8Array }, Ends>, done: sendUnaryData<Ends>) =>
        done(null, measure(request.bytes)),
      stream: async (call: ServerWritableStream<Small, Small>) => {
        for (let x = 0; x < CHUNKS; x++) {
          if (!call.write({ x })) await new Promise((resolve) => call.once('drain', resolve));
        }
        call.end();
      },
    });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
    const port = await promise;
    return { port, close: async () => server.forceShutdown() };
  },
  async connect(port) {
    const client = new service(`127.0.0.1:${port}`, credentials.createInsecure(), LIMITS);
    return {
      echo: (payload) => unary((done) => client.echo(payload, done)),
      measure: (bytes) => unary((done) => client.measure({ bytes }, done)),
      stream: async () => client.stream({ x: 0 }),
      close: async () => client.close(),
    };
  },
};

function unary<T>(call: (done: (error: Error | null, response: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    call((error, response) => (error === null ? resolve(response) : reject(error))),
  );
}
