import { serve } from 'inserve';

/** Only the type: the code of the deployments must not get into the bundle. */
type Search = (request: Request) => unknown;

export const dynamic = 'force-dynamic';

export async function GET(request: Request): Promise<Response> {
  return Response.json(await serve.handle<Search>('search').remote(new Request(request.url)));
}
