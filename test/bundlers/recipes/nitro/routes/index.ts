import { serve } from 'inserve';
import { search } from '../models/models.ts';

export default defineEventHandler((event) => serve.handle(search).remote(toWebRequest(event)));
