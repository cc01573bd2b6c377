import express from 'express';
import { serve } from 'inserve';
import { json } from './deployment.mjs';

const app = express();
app.use('/json', serve.middleware(json.bind()));
const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port));
