import { describe, expect, it } from 'vitest';
import { checkPromptLength, maxPromptLength, parseConfig, usableTokens } from './config.ts';

const XLM_R_BASE = {
  model_type: 'xlm-roberta',
  vocab_size: 250002,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 514,
  type_vocab_size: 1,
  layer_norm_eps: 1e-5,
  hidden_act: 'gelu',
  pad_token_id: 1,
};
const XGLM = {
  model_type: 'xglm',
  vocab_size: 256008,
  d_model: 1024,
  num_layers: 24,
  attention_heads: 16,
  ffn_dim: 4096,
  max_position_embeddings: 2048,
};

const parse = (config: unknown) => parseConfig('m/config.json', JSON.stringify(config));
const failure = (config: unknown) => expect(() => parse(config));

describe('parseConfig', () => {
  it('gives every field of an encoder', () => {
    expect(parse(XLM_R_BASE)).toEqual({
      family: 'roberta',
      modelType: 'xlm-roberta',
      hidden: 768,
      layers: 12,
      heads: 12,
      headDim: 64,
      intermediate: 3072,
      vocabSize: 250002,
      maxPositions: 514,
      typeVocabSize: 1,
      layerNormEps: 1e-5,
      padId: 1,
      activation: 'gelu',
      scaleEmbedding: false,
      initializerRange: 0.02,
      hiddenDropout: 0.1,
    });
  });

  it('fills in what an xglm config leaves out', () => {
    expect(parse({ ...XGLM, dropout: 0, scale_embedding: false })).toMatchObject({
      family: 'xglm',
      headDim: 64,
      layerNormEps: 1e-5,
      padId: 1,
      typeVocabSize: 0,
      scaleEmbedding: false,
      hiddenDropout: 0,
    });
    expect(parse(XGLM).scaleEmbedding).toBe(true);
  });

  it('knows the pad ids and constants that the families default to', () => {
    const { pad_token_id, layer_norm_eps, ...rest } = XLM_R_BASE;
    expect(parse({ ...rest, model_type: 'bert' })).toMatchObject({ padId: 0, layerNormEps: 1e-12 });
    expect(parse({ ...rest, model_type: 'roberta' })).toMatchObject({
      family: 'roberta',
      modelType: 'roberta',
      padId: 1,
    });
  });

  it('takes null for a field that is not set', () => {
    expect(parse({ ...XLM_R_BASE, position_embedding_type: null, pad_token_id: null }).padId).toBe(
      1,
    );
  });

  it('names the supported model types when it does not know one', () => {
    const supported = 'supported are xlm-roberta, roberta, bert, xglm';
    failure({ ...XLM_R_BASE, model_type: 'gpt2' }).toThrow(
      expect.objectContaining({
        code: 'unknown_model_type',
        message: `m/config.json has model_type "gpt2"; ${supported}`,
      }),
    );
    failure({ hidden_size: 8 }).toThrow(`no model_type; ${supported}`);
    failure({ model_type: 'constructor' }).toThrow('model_type "constructor"');
    failure({ model_type: 7 }).toThrow('model_type 7');
  });

  it('names the field and its value', () => {
    failure({ ...XLM_R_BASE, hidden_size: 'big' }).toThrow('hidden_size is "big"');
    failure({ ...XLM_R_BASE, num_hidden_layers: 0 }).toThrow('num_hidden_layers is 0');
    failure({ ...XLM_R_BASE, num_hidden_layers: 1e9 }).toThrow('num_hidden_layers is 1000000000');
    failure({ ...XLM_R_BASE, hidden_dropout_prob: 2 }).toThrow('hidden_dropout_prob is 2');
    failure({ ...XLM_R_BASE, vocab_size: undefined }).toThrow('vocab_size is missing');
    failure({ ...XLM_R_BASE, num_attention_heads: 7 }).toThrow('768 is not divisible by 7 heads');
    failure({ ...XLM_R_BASE, pad_token_id: 250002 }).toThrow('pad_token_id 250002');
    failure({ ...XLM_R_BASE, max_position_embeddings: 2 }).toThrow('max_position_embeddings 2');
    failure({ ...XGLM, d_model: 27, attention_heads: 3 }).toThrow('d_model 27 must be even');
    failure({ ...XLM_R_BASE, hidden_size: 0 }).toThrow(
      expect.objectContaining({ code: 'bad_config' }),
    );
  });

  it('refuses by name what would compute something else', () => {
    failure({ ...XLM_R_BASE, position_embedding_type: 'relative_key' }).toThrow(
      'position_embedding_type "relative_key"',
    );
    failure({ ...XLM_R_BASE, is_decoder: true }).toThrow('is_decoder');
    failure({ ...XLM_R_BASE, hidden_act: 'gelu_new' }).toThrow(
      expect.objectContaining({
        code: 'unsupported_activation',
        message: expect.stringContaining('hidden_act "gelu_new"'),
      }),
    );
    failure({ ...XGLM, activation_function: 'relu' }).toThrow('activation_function "relu"');
  });

  it('refuses text that is not a JSON object', () => {
    for (const text of ['', '{', '[]', 'null', '7']) {
      expect(() => parseConfig('m/config.json', text)).toThrow(
        expect.objectContaining({ code: 'bad_config' }),
      );
    }
  });
});

describe('position limits', () => {
  it('counts the tokens that fit behind a prompt', () => {
    expect(usableTokens(parse(XLM_R_BASE), 0)).toBe(512);
    expect(usableTokens(parse(XLM_R_BASE), 16)).toBe(496);
    expect(usableTokens(parse({ ...XLM_R_BASE, model_type: 'bert' }), 16)).toBe(498);
    expect(usableTokens(parse(XGLM), 48)).toBe(2000);
    expect(usableTokens(parse(XLM_R_BASE), 600)).toBe(0);
  });

  it('refuses a prompt longer than the position table allows, with the limit', () => {
    const spec = parse(XLM_R_BASE);
    expect(maxPromptLength(spec)).toBe(509);
    expect(() => checkPromptLength(spec, 509)).not.toThrow();
    expect(() => checkPromptLength(spec, 510)).toThrow(
      expect.objectContaining({
        code: 'prompt_too_long',
        message: expect.stringMatching(/510 .*514 rows.*at most 509/),
      }),
    );
    expect(() => checkPromptLength(spec, 1.5)).toThrow('whole number from 0 to 509');
  });
});
