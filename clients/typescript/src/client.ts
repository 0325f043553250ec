// A typed client: paths, bodies and answers are those of the OpenAPI document, so a call that the
// API would refuse does not compile.

import createFetchClient, { type Client, type Middleware } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type Schemas = components["schemas"];
export type Problem = Schemas["Problem"];
export type Fansworld = Client<paths>;

export interface Options {
  baseUrl: string;
  /** Gives the access token of each request; none where nobody is signed in. */
  token?: () => string | undefined;
}

export function createClient({ baseUrl, token }: Options): Fansworld {
  const client = createFetchClient<paths>({ baseUrl });
  if (token) client.use(bearer(token));
  return client;
}

function bearer(token: () => string | undefined): Middleware {
  return {
    onRequest({ request }) {
      const current = token();
      if (current !== undefined) request.headers.set("authorization", `Bearer ${current}`);
      return request;
    },
  };
}

/** An answer that is a problem, thrown. */
export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`);
    this.name = "ProblemError";
  }
}

interface Answer<Data> {
  data?: Data | undefined;
  error?: Problem | undefined;
}

/** What an answer holds, or a `ProblemError`. */
export function valueOf<Data>({ data, error }: Answer<Data>): NonNullable<Data> {
  if (error !== undefined) throw new ProblemError(error);
  return data as NonNullable<Data>;
}

interface Page<Item> {
  data: Item[];
  next_cursor: string | null;
}

/** Every item of a list, page after page. */
export async function* itemsOf<Item>(
  fetchPage: (cursor: string | undefined) => Promise<Answer<Page<Item>>>,
): AsyncGenerator<Item> {
  let cursor: string | undefined;
  do {
    const page = valueOf(await fetchPage(cursor));
    yield* page.data;
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
