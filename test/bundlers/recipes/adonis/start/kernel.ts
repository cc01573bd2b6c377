import app from '@adonisjs/core/services/app';
import server from '@adonisjs/core/services/server';
import { serve } from 'inserve';

// Middleware of the server comes before the body parser, which is one of the router.
server.use([() => import('../app/search_middleware.js')]);
app.terminating(() => serve.close());
