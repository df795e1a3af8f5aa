/** The contract of what signs in to Azure without a key, for every connector that reaches it. */

/** A credential of `@azure/identity`, such as `new DefaultAzureCredential()`; only what is used of it. */
export interface TokenCredential {
  readonly getToken: (
    scopes: string | Array<string>,
    options?: { readonly abortSignal?: AbortSignal }
  ) => Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>
}
