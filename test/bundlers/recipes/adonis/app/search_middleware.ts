import { once } from 'node:events';
import type { HttpContext } from '@adonisjs/core/http';
import type { NextFn } from '@adonisjs/core/types/http';
import { serve } from 'inserve';
import { search } from './models.ts';

const answer = serve.middleware(search);

export default class SearchMiddleware {
  async handle({ request, response }: HttpContext, next: NextFn): Promise<unknown> {
    if (request.url() !== '/') return await next();
    const closed = once(response.response, 'close');
    answer(request.request, response.response);
    await closed;
  }
}
