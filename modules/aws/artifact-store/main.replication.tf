locals {
  replication_role = "${substr(local.bucket, 0, 41)}-replication-${substr(sha256(local.bucket), 0, 10)}"
}

data "aws_iam_policy_document" "replication_trust" {
  count = var.strict ? 1 : 0

  statement {
    sid     = "S3Replicates"
    effect  = "Allow"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "replication" {
  count = var.strict ? 1 : 0

  name               = local.replication_role
  description        = "Copies the artifact store ${var.name} of the stack ${var.stack} to its replica"
  assume_role_policy = data.aws_iam_policy_document.replication_trust[0].json
  tags               = local.tags
}

data "aws_iam_policy_document" "replication" {
  count = var.strict ? 1 : 0

  statement {
    sid       = "ReadTheSettings"
    effect    = "Allow"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [local.bucket_arn]
  }

  statement {
    sid    = "ReadTheObjects"
    effect = "Allow"
    actions = [
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionTagging",
    ]
    resources = ["${local.bucket_arn}/*"]
  }

  statement {
    sid       = "WriteTheCopies"
    effect    = "Allow"
    actions   = ["s3:ReplicateDelete", "s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${coalesce(var.replica_bucket_arn, local.bucket_arn)}/*"]
  }

  statement {
    sid       = "UseTheKey"
    effect    = "Allow"
    actions   = ["kms:Decrypt"]
    resources = [local.kms_key_arn]
  }

  statement {
    sid       = "UseTheKeyOfTheReplica"
    effect    = "Allow"
    actions   = ["kms:Encrypt"]
    resources = compact([var.replica_kms_key_arn])
  }
}

resource "aws_iam_role_policy" "replication" {
  count = var.strict ? 1 : 0

  name   = "replication"
  role   = aws_iam_role.replication[0].name
  policy = data.aws_iam_policy_document.replication[0].json
}

resource "aws_s3_bucket_replication_configuration" "this" {
  count = var.strict ? 1 : 0

  bucket = aws_s3_bucket.this[0].bucket
  role   = aws_iam_role.replication[0].arn

  rule {
    id       = "replica"
    status   = "Enabled"
    priority = 1

    filter {}

    delete_marker_replication {
      status = "Enabled"
    }

    source_selection_criteria {
      sse_kms_encrypted_objects {
        status = "Enabled"
      }
    }

    destination {
      bucket        = var.replica_bucket_arn
      storage_class = "STANDARD_IA"

      encryption_configuration {
        replica_kms_key_id = var.replica_kms_key_arn
      }
    }
  }

  # Both ends need versions, and the role its rights, before S3 takes the rule.
  depends_on = [aws_s3_bucket_versioning.this, aws_iam_role_policy.replication]
}
