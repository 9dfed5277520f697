mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  stack         = "ml-prod"
  name          = "prod_store"
  account_id    = "123456789012"
  source_bucket = "acme-ml-prod"
}

run "closed_encrypted_versioned_and_never_emptied" {
  command = plan

  assert {
    condition = (
      output.bucket == "acme-ml-prod-replica-${substr(sha256("acme-ml-prod"), 0, 10)}" &&
      output.bucket_arn == "arn:aws:s3:::${output.bucket}"
    )
    error_message = "The name follows from the source."
  }

  assert {
    condition = (
      aws_s3_bucket.this.force_destroy == false &&
      aws_s3_bucket_public_access_block.this.block_public_acls &&
      aws_s3_bucket_public_access_block.this.block_public_policy &&
      aws_s3_bucket_public_access_block.this.ignore_public_acls &&
      aws_s3_bucket_public_access_block.this.restrict_public_buckets &&
      one(aws_s3_bucket_ownership_controls.this.rule).object_ownership == "BucketOwnerEnforced"
    )
    error_message = "Nobody else reaches the copies, and Terraform deletes none."
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && one(aws_s3_bucket_versioning.this.versioning_configuration).status == "Enabled"
    error_message = "The copies have versions and a key that rotates."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.bucket[0].statement).effect == "Deny"
    error_message = "Plain HTTP is denied."
  }
}

run "long_names_and_dots_stay_names" {
  command = plan

  variables {
    source_bucket = "a-very-long-name.with-dots.that-is-as-long-as-s3-allows-00000.1"
  }

  assert {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", output.bucket))
    error_message = "S3 takes the name that is made."
  }
}

run "without_days_there_is_no_lifecycle" {
  command = plan

  variables {
    noncurrent_days      = null
    abort_multipart_days = null
    tls_only             = false
  }

  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.this) == 0 && length(aws_s3_bucket_policy.this) == 0
    error_message = "What is switched off is not there."
  }
}

run "the_account_has_twelve_digits" {
  command = plan

  variables {
    account_id = "acme"
  }

  expect_failures = [var.account_id]
}
