locals {
  keyed = var.kms_key != null || local.own_key

  # A policy that grants by key needs the key's own ARN: an alias or an id is looked up.
  kms_key_given_as_arn = var.kms_key == null ? false : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]+:key/", var.kms_key))
  kms_key_arn = (
    local.own_key ? format("%s", aws_kms_key.this[0].arn) : # format: known not to be null before it is known
    var.kms_key == null ? null :
    local.kms_key_given_as_arn ? var.kms_key : data.aws_kms_key.given[0].arn
  )
}

data "aws_kms_key" "given" {
  count = var.kms_key == null || local.kms_key_given_as_arn ? 0 : 1

  key_id = var.kms_key
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = local.create && var.encryption ? 1 : 0

  bucket = aws_s3_bucket.this[0].bucket

  rule {
    # One key per bucket and hour and not one per object: fewer calls to KMS, the same protection.
    bucket_key_enabled = local.keyed

    apply_server_side_encryption_by_default {
      sse_algorithm     = local.keyed ? "aws:kms" : "AES256"
      kms_master_key_id = local.kms_key_arn
    }
  }
}
