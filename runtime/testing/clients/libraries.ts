// The vendors' own libraries, and those that people build on, each as its users set it up: another base URL and our key.
import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogle } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { ChatAnthropic } from '@langchain/anthropic'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, jsonSchema, type LanguageModel, streamText, type ToolSet, tool } from 'ai'
import EarlierAnthropic from 'anthropic-sdk-0'
import { GoogleGenAI as EarlierGoogleGenAI } from 'google-genai-2'
import OpenAI from 'openai'
import { createZhipu } from 'zhipu-ai-provider'
import type { Wire } from '../../proxy/api.ts'

export type Said = { text: string; tool: { name: string; input: unknown } | null }
export type Library = {
  wire: Wire
  /** Left out = asks again when the vendor is overloaded, as it comes. */
  neverRepeats?: true
  /** One call, whole or as a stream, with a tool or without. */
  call(url: URL, key: string, ask: Ask): Promise<Said>
}
export type Ask = { model: string; isStream: boolean; hasTool: boolean }

const name = 'get_weather'
const description = 'The weather of a city.'
const schema = {
  type: 'object' as const,
  properties: { city: { type: 'string' as const } },
  required: ['city'],
}
const content = 'say hello'
const user = { role: 'user' as const, content }

function anthropic(Client: typeof Anthropic): Library {
  return {
    wire: 'messages',
    async call({ origin }, apiKey, { model, isStream, hasTool }) {
      const client = new Client({ apiKey, baseURL: origin })
      const tools = hasTool ? [{ name, description, input_schema: schema }] : []
      const body = { model, max_tokens: 64, messages: [user], tools }
      const message = isStream
        ? await client.messages.stream(body).finalMessage()
        : await client.messages.create(body)
      const [block] = message.content
      return {
        text: block?.type === 'text' ? block.text : '',
        tool: block?.type === 'tool_use' ? { name: block.name, input: block.input } : null,
      }
    },
  }
}

const openaiChat: Library = {
  wire: 'chat',
  async call({ origin }, apiKey, { model, isStream, hasTool }) {
    const client = new OpenAI({ apiKey, baseURL: `${origin}/v1` })
    const made = { type: 'function' as const, function: { name, description, parameters: schema } }
    const body = { model, messages: [user], ...(hasTool && { tools: [made] }) }
    const completion = isStream
      ? await client.chat.completions.stream(body).finalChatCompletion()
      : await client.chat.completions.create(body)
    const { message } = completion.choices[0]!
    const [call] = message.tool_calls ?? []
    return {
      text: message.content ?? '',
      tool: call?.type === 'function' ? parsed(call.function) : null,
    }
  },
}
const parsed = (call: { name: string; arguments: string }) => ({
  name: call.name,
  input: JSON.parse(call.arguments) as unknown,
})

const openaiResponses: Library = {
  wire: 'responses',
  async call({ origin }, apiKey, { model, isStream, hasTool }) {
    const client = new OpenAI({ apiKey, baseURL: `${origin}/v1` })
    const made = { type: 'function' as const, name, parameters: schema, strict: false }
    const body = { model, input: content, ...(hasTool && { tools: [made] }) }
    const response = isStream
      ? await client.responses.stream(body).finalResponse()
      : await client.responses.create(body)
    const [call] = response.output.flatMap((item) => (item.type === 'function_call' ? [item] : []))
    return { text: response.output_text ?? '', tool: call ? parsed(call) : null }
  },
}

function google(Client: typeof GoogleGenAI): Library {
  return {
    wire: 'gemini',
    neverRepeats: true,
    async call({ origin }, apiKey, { model, isStream, hasTool }) {
      const client = new Client({ apiKey, httpOptions: { baseUrl: origin } })
      const functionDeclarations = [{ name, description, parametersJsonSchema: schema }]
      const config = hasTool ? { tools: [{ functionDeclarations }] } : {}
      const ask = { model, contents: content, config }
      let last = isStream ? undefined : await client.models.generateContent(ask)
      if (isStream)
        for await (const part of await client.models.generateContentStream(ask)) last = part
      const [part] = last?.candidates?.[0]?.content?.parts ?? []
      const { functionCall: call } = part ?? {}
      return { text: part?.text ?? '', tool: call ? { name: call.name!, input: call.args } : null }
    },
  }
}

type Open = (url: URL, key: string, model: string) => LanguageModel

const ai = (wire: Wire, open: Open): Library => ({
  wire,
  async call(url, key, { model, isStream, hasTool }) {
    const inputSchema = jsonSchema<{ city: string }>(schema)
    const tools: ToolSet = { [name]: tool({ description, inputSchema }) }
    const failures: unknown[] = []
    const onError = ({ error }: { error: unknown }) => void failures.push(error)
    const options = { model: open(url, key, model), prompt: content, ...(hasTool && { tools }) }
    const result = isStream ? streamText({ ...options, onError }) : await generateText(options)
    try {
      const [call] = await result.toolCalls
      const text = await result.text
      return { text, tool: call ? { name: call.toolName, input: call.input } : null }
    } catch (error) {
      throw failures[0] ?? error // A stream's own error says only that there was none.
    }
  },
})

type LangChain = InstanceType<
  typeof ChatOpenAI | typeof ChatAnthropic | typeof ChatGoogleGenerativeAI
>

const langchain = (
  wire: Wire,
  open: (url: URL, key: string, model: string) => LangChain,
): Library => ({
  wire,
  async call(url, key, { model, isStream, hasTool }) {
    const chat = open(url, key, model)
    const made = { type: 'function' as const, function: { name, description, parameters: schema } }
    const asked = hasTool ? chat.bindTools([made]) : chat
    let message = isStream ? undefined : await asked.invoke(content)
    if (isStream) {
      for await (const chunk of await asked.stream(content)) {
        message = message ? (message as typeof chunk).concat(chunk) : chunk
      }
    }
    const [call] = message?.tool_calls ?? []
    return { text: message?.text ?? '', tool: call ? { name: call.name, input: call.args } : null }
  },
})

export const libraries: Readonly<Record<string, Library>> = {
  '@anthropic-ai/sdk 1.x': anthropic(Anthropic),
  '@anthropic-ai/sdk 0.x': anthropic(EarlierAnthropic as unknown as typeof Anthropic),
  'openai, chat': openaiChat,
  'openai, Responses': openaiResponses,
  '@google/genai 3.x': google(GoogleGenAI),
  '@google/genai 2.x': google(EarlierGoogleGenAI as unknown as typeof GoogleGenAI),
  'ai with @ai-sdk/openai': ai('responses', ({ origin }, apiKey, model) =>
    createOpenAI({ apiKey, baseURL: `${origin}/v1` })(model),
  ),
  'ai with @ai-sdk/openai over chat': ai('chat', ({ origin }, apiKey, model) =>
    createOpenAI({ apiKey, baseURL: `${origin}/v1` }).chat(model),
  ),
  'ai with @ai-sdk/anthropic': ai('messages', ({ origin }, apiKey, model) =>
    createAnthropic({ apiKey, baseURL: `${origin}/v1` })(model),
  ),
  'ai with @ai-sdk/anthropic and a bare origin': ai('messages', ({ origin }, apiKey, model) =>
    createAnthropic({ apiKey, baseURL: origin })(model),
  ),
  'ai with @ai-sdk/google': ai('gemini', ({ origin }, apiKey, model) =>
    createGoogle({ apiKey, baseURL: `${origin}/v1beta` })(model),
  ),
  'ai with zhipu-ai-provider': ai('chat', ({ origin }, apiKey, model) =>
    createZhipu({ apiKey, baseURL: `${origin}/api/paas/v4` })(model),
  ),
  '@langchain/openai': langchain(
    'chat',
    ({ origin }, apiKey, model) =>
      new ChatOpenAI({ model, apiKey, maxRetries: 2, configuration: { baseURL: `${origin}/v1` } }),
  ),
  '@langchain/anthropic': langchain(
    'messages',
    ({ origin }, apiKey, model) =>
      new ChatAnthropic({ model, apiKey, maxRetries: 2, anthropicApiUrl: origin }),
  ),
  '@langchain/google-genai': langchain(
    'gemini',
    ({ origin }, apiKey, model) =>
      new ChatGoogleGenerativeAI({ model, apiKey, maxRetries: 2, baseUrl: origin }),
  ),
}
