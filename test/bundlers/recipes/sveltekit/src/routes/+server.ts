import { serve } from 'inserve';
import { search } from '../lib/models.ts';

export const GET = async ({ request }: { request: Request }): Promise<Response> =>
  Response.json(await serve.handle(search).remote(request));
