import 'reflect-metadata';
import { Module, type OnApplicationShutdown } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { serve } from 'inserve';
import { search } from './models.ts';

@Module({
  // Controllers and services inject the handle: @Inject('search').
  providers: [{ provide: 'search', useFactory: () => serve.handle(search) }],
})
class AppModule implements OnApplicationShutdown {
  async onApplicationShutdown(): Promise<void> {
    await serve.close();
  }
}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  app.use('/', serve.middleware(search));
  app.enableShutdownHooks();
  await app.listen(process.env['PORT'] ?? 3000);
}

void main();
