"""Makes `tiny/`: random models a few kilobytes small, with the vectors that transformers and PEFT give for them.

    pip install torch transformers peft
    python make_tiny.py

They stand for architectures whose real weights are too large to fetch for a test, or not to be had.
"""

import json
import pathlib

import peft
import tokenizers
import torch
import transformers

from texts import CLAUSE, TEXTS

HERE = pathlib.Path(__file__).parent / "tiny"
SMALL = dict(hidden_size=16, num_attention_heads=2, intermediate_size=24, vocab_size=300)


def tokenizer():
    t = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    t.normalizer = tokenizers.normalizers.BertNormalizer()
    t.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(
        [CLAUSE, *TEXTS], tokenizers.trainers.WordPieceTrainer(vocab_size=300, special_tokens=special)
    )
    t.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return t


def shake(model):
    """Weights large enough that every part shows in the result."""
    generator = torch.Generator().manual_seed(7)
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        p.data = 1 + 0.2 * noise if "orm.weight" in name or "norm.weight" in name else 0.3 * noise


def write(name, made_with, model):
    rows = []
    tok.enable_truncation(256)
    for text in TEXTS:
        ids = torch.tensor([tok.encode(text).ids])
        with torch.no_grad():
            v = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(0)
        rows.append([round(float(x), 7) for x in v / v.norm()])
    with open(HERE / f"{name}.json", "w", encoding="utf-8") as f:
        f.write('{"made_with": %s,\n"texts": %s,\n"vectors": [\n' % (json.dumps(made_with), json.dumps(TEXTS)))
        f.write(",\n".join(json.dumps(r, separators=(",", ":")) for r in rows))
        f.write("\n]}\n")


def save(name, model):
    tok.no_truncation()
    model.save_pretrained(HERE / name)
    tok.save(str(HERE / name / "tokenizer.json"), pretty=False)


tok = tokenizer()
version = f"transformers {transformers.__version__}, random weights, f32, mean"

config = transformers.ModernBertConfig(
    **SMALL, num_hidden_layers=4, max_position_embeddings=256, local_attention=8, global_attn_every_n_layers=3,
    pad_token_id=1,
    cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3, attn_implementation="eager",
)
modern = transformers.ModernBertModel(config).eval()
shake(modern)
save("modernbert", modern)
write("modernbert", version, modern)

config = transformers.MPNetConfig(
    **SMALL, num_hidden_layers=2, max_position_embeddings=258, pad_token_id=1, bos_token_id=2, eos_token_id=3
)
mpnet = transformers.MPNetModel(config, add_pooling_layer=False).eval()
shake(mpnet)
save("mpnet", mpnet)
write("mpnet", version, mpnet)

config = transformers.BertConfig(**SMALL, num_hidden_layers=2, max_position_embeddings=256, pad_token_id=1)
bert = transformers.BertModel(config, add_pooling_layer=False).eval()
shake(bert)
save("bert", bert)
write("bert", version, bert)
lora = peft.LoraConfig(r=2, lora_alpha=8, target_modules=["query", "value", "intermediate.dense"], use_rslora=True)
adapted = peft.get_peft_model(bert, lora).eval()
generator = torch.Generator().manual_seed(8)
for name, p in adapted.named_parameters():
    if "lora_" in name:
        p.data = 0.3 * torch.randn(p.shape, generator=generator)
adapted.save_pretrained(HERE / "bert-lora")
(HERE / "bert-lora" / "README.md").unlink(missing_ok=True)  # a template
write("bert-lora", version + f", peft {peft.__version__}", adapted)
